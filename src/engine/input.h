/* Inputs: the lists of a run, opened before it and read by the feeder.
 */
#ifndef WEIR_ENGINE_INPUT_H
#define WEIR_ENGINE_INPUT_H

#include "core/status.h"
#include "source/source.h"

struct input {
    struct input *next;
    char *list;            /* as named in messages */
    char *format;          /* NULL = told by content */
    struct reader *reader; /* until input_start */
    struct source *source; /* after input_start */
    bool is_tree;          /* the files beneath the folder `list` */
};

/* Opens `list`: a path, "-", or an http(s) URL, which is fetched into an unlinked temporary file
 * first. `stop_fd` becoming readable ends a read that waits for a pipe. Reads nothing from a pipe.
 */
status input_open(struct input **out, const char *list, const char *format, int stop_fd,
                  weir_config *config, error *err);
/* The files beneath the folder `dir`, for URLs below `url`. */
status input_open_tree(struct input **out, const char *dir, const char *url, error *err);
/* Makes a source of it, which reads its first bytes: the feeder's, for they may be long in coming.
 */
status input_start(struct input *input, error *err);
void input_free(struct input *input); /* takes NULL */

#endif
