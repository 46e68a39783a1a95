/* What -o means: a file name, a folder and a file name, or a descriptor.
 */
#ifndef WEIR_CLI_OUTPUT_TARGET_H
#define WEIR_CLI_OUTPUT_TARGET_H

#include "cli/arguments.h"
#include "weir/weir.h"

struct output_target {
    int fd;           /* bodies go here; -1 = to files */
    const char *what; /* names fd in messages */
    const char *file; /* the lines of all URLs go here, or NULL */
    char *name;       /* for weir_job.name, or NULL */
    char *dir;        /* what save.dir has been set to, or NULL */
};

void output_target_init(struct output_target *t);
/* Opens or sets what is needed. USAGE, with a message, where -o does not fit the rest of the
 * command line. */
weir_status output_target_choose(struct output_target *t, const struct arguments *a,
                                 weir_config *config, char message[USAGE_MAX]);
/* The same for filter and jsonl, whose lines go to standard output unless -o or -d is typed. */
weir_status output_target_choose_for_lines(struct output_target *t, const struct arguments *a,
                                           char message[USAGE_MAX]);
/* Does everything go into one place, so that nothing of it can be gone on with later? */
bool output_target_is_stream(const struct output_target *t);
void output_target_free(struct output_target *t);

#endif
