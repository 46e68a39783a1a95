/* The access log: one line for each request that has ended.
 *
 * Lines are gathered under a lock and written by a thread of their own, so that a full disk or a
 * slow reader of a pipe never keeps a client waiting. What does not fit into the room between is
 * left out and counted.
 */
#ifndef WEIR_SERVE_ACCESS_LOG_H
#define WEIR_SERVE_ACCESS_LOG_H

#include <stdbool.h>

#include "core/status.h"

struct access_log;

struct access_log_setup {
    const char *path; /* "-" = standard output */
    bool json;
    /* For what went wrong; on the log's thread. */
    void (*warn)(void *owner, const char *text);
    void *owner;
};

status access_log_open(struct access_log **out, const struct access_log_setup *setup, error *err);
/* Any thread; never waits for the disk. */
void access_log_add(struct access_log *log, const weir_request *request);
/* Writes what is left; takes NULL. */
void access_log_close(struct access_log *log);

#endif
