/* From the target of a request line to a name beneath the served directory, and back. Pure; any
 * thread.
 *
 * Everything that could lead elsewhere or be read in two ways is refused here, before anything is
 * opened: dot segments, separators and NUL in an encoded form, and endings that stand for files on
 * their way. What is left is opened beneath the directory without following links (core/fs.h).
 */
#ifndef WEIR_SERVE_REQUEST_PATH_H
#define WEIR_SERVE_REQUEST_PATH_H

#include <stdbool.h>

#include "core/text.h"

enum path_verdict {
    PATH_FINE,
    PATH_MALFORMED, /* 400: no path, or a '%' without two hexadecimal digits */
    PATH_ABSENT,    /* 404: nothing that is served can have this name */
    PATH_TOO_LONG
};

struct request_path {
    struct strbuf name; /* decoded: "a/b", no slash at either end; "" = the directory itself */
    bool folder;        /* a slash stood at the end */
    bool hidden;        /* a component begins with a dot */
    bool unfinished;    /* a component ends in .part or .part.resume */
    bool control;       /* a component holds a control character */
};

/* `target` is what stood in the request line, without the query: an absolute path (RFC 9112 section
 * 3.2.1) or an http or https URL (section 3.2.2). Repeated slashes count as one. The verdict
 * PATH_FINE says nothing of hidden and unfinished ones. To be released in every case. */
enum path_verdict request_path_parse(struct request_path *out, struct span target);
void request_path_free(struct request_path *p);

/* May a directory entry of this name be served and listed? */
bool name_is_hidden(const char *name);
bool name_is_unfinished(const char *name);

/* Appends `name` so that it may stand in the path of a URL; slashes stay. */
void url_path_add(struct strbuf *out, const char *name);

#endif
