/* The one thread that knows the time: it resumes connections that a bandwidth limit has suspended,
 * and ends those whose next request does not come to the end of its head.
 *
 * A suspended connection costs nothing until it is resumed: nobody polls. The HTTP daemon aborts
 * the program when it is stopped while one is suspended, so suspending goes through here, and
 * wakeups_stop resumes all and lets no more be suspended.
 */
#ifndef WEIR_SERVE_WAKEUPS_H
#define WEIR_SERVE_WAKEUPS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "net/timer_heap.h"

struct link;

struct wakeups {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
    /* guarded by lock */
    struct timer_heap heap;
    size_t links;
    bool stopping;
};

status wakeups_start(struct wakeups *w, error *err);
/* All that is suspended goes on, and nothing can be suspended any more. Ends the thread. */
void wakeups_stop(struct wakeups *w);
void wakeups_free(struct wakeups *w);

/* A connection begins, and ends. False: out of memory. */
bool wakeups_add(struct wakeups *w, struct link *link);
void wakeups_remove(struct wakeups *w, struct link *link);

/* Suspends the connection whose callback is running until `at`; TIME_NEVER: until wakeups_resume.
 * False: the server is being stopped, give up. */
bool wakeups_suspend(struct wakeups *w, struct link *link, uint64_t at);
void wakeups_resume(struct wakeups *w, struct link *link);

/* A head of a request is due by `at`, or else the connection is shut down; wakeups_head_here: it
 * has come. */
void wakeups_await_head(struct wakeups *w, struct link *link, uint64_t at);
void wakeups_head_here(struct wakeups *w, struct link *link);

#endif
