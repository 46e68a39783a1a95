/* The patterns of weir filter: those of the command line and of files. Main thread.
 */
#ifndef WEIR_CLI_PATTERN_LIST_H
#define WEIR_CLI_PATTERN_LIST_H

#include "cli/arguments.h"
#include "weir/weir.h"

struct pattern_list {
    weir_pattern *rows;
    size_t n, cap;
    /* What the rows point into: the files as read, and "FILE:12" for each of their lines. */
    char **texts;
    size_t text_count, text_cap;
    const char *empty_line; /* "FILE:12", the first empty line of a file, or NULL */
    const char *empty_file; /* the first file without a single line, or NULL */
};

/* Reads what -e, -F and -f say. USAGE or DISK, with a message, where a file cannot be read or has
 * too much in it. To be released with pattern_list_free in either case; `f` must outlive it. */
weir_status pattern_list_load(struct pattern_list *out, const struct filter_arguments *f,
                              char message[USAGE_MAX]);
void pattern_list_free(struct pattern_list *list);

#endif
