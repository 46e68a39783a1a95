/* The socket that consumers come to. It bears its name from the moment on at which it listens, so
 * that who sees it is never refused, and only its owner may connect: who can may delete. Any
 * thread.
 */
#ifndef WEIR_PREFETCH_LINE_SOCKET_H
#define WEIR_PREFETCH_LINE_SOCKET_H

#include <sys/types.h>

#include "core/status.h"

struct line_socket {
    int fd;     /* -1 = none */
    char *path; /* NULL = none */
    dev_t dev;  /* of what stands there: ours, as long as it is that one */
    ino_t ino;
};

/* Replaces a socket that nobody answers at; not one that somebody does, and nothing else. */
status line_socket_open(struct line_socket *s, const char *path, error *err);
void line_socket_close(struct line_socket *s); /* fd -1 and path NULL after it */

#endif
