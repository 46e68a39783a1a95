/* What is said while a run goes on, and what is counted of it for the end.
 */
#ifndef WEIR_CLI_EVENT_MESSAGES_H
#define WEIR_CLI_EVENT_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/screen.h"
#include "weir/weir.h"

struct messages {
    struct screen *screen;
    bool quiet, verbose;
    bool list_names; /* a dry run: each URL and its name go to standard output */
    bool no_names;   /* the URLs alone, since there would be no files */
    weir_engine *engine;
    const char *report_path; /* where all errors stand, or NULL */
    /* Written by the commit thread, read after the run. */
    bool list_gone; /* nobody reads the names any more */
    uint64_t said[WEIR_STATUS_COUNT];
    uint64_t http_status[600]; /* failures of class http, by status code */
};

/* The names of a dry run are themselves a list that -i takes. Main thread, around the run. */
void messages_begin_list(struct messages *m);
void messages_end_list(struct messages *m);

/* For weir_engine_on_event; `user` is a struct messages. Commit thread. */
void messages_on_event(const weir_event *event, void *user);

#endif
