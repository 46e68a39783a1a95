/* Lines of a small text file that a person wrote: INI files and files of headers. One thread.
 *
 * A line may be long (a token of many thousand characters), but not endless, and holds no NUL byte.
 */
#ifndef WEIR_CONFIG_CONFIG_LINES_H
#define WEIR_CONFIG_CONFIG_LINES_H

#include <stdio.h>

#include "core/status.h"
#include "core/text.h"

struct config_lines {
    FILE *file;
    const char *path;   /* borrowed */
    struct strbuf text; /* the line in hand */
    unsigned number;    /* its number, from 1 */
};

status config_lines_open(struct config_lines *out, const char *path, error *err);
void config_lines_close(struct config_lines *lines);

/* The next line without its line end and without blanks around it; it lives until the next call and
 * ends in NUL. END after the last. */
status config_lines_next(struct config_lines *lines, struct span *line, error *err);

#endif
