/* See wakeups.h. A thread of its own; the rest is called by the workers of the HTTP daemon.
 *
 * Lock order: this lock, then the daemon's own, which calls nobody while it is held. Suspending and
 * resuming happen under this lock: between two chunks of a body the daemon calls back a connection
 * that was suspended a moment ago, and suspending one twice would corrupt its lists.
 */
#include "serve/wakeups.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <time.h>

#include "core/clock.h"
#include "core/thread.h"
#include "serve/clients.h"

static struct link *link_of(struct timer *t)
{
    return (struct link *)(void *)((char *)t - offsetof(struct link, timer));
}

static void set_locked(struct wakeups *w, struct link *link, uint64_t at)
{
    bool sooner = !timer_first(&w->heap) || at < timer_first(&w->heap)->at;
    timer_set(&w->heap, &link->timer, at);
    if (at != TIME_NEVER && sooner)
        pthread_cond_signal(&w->changed);
}

/* A timer of a head is left where it is when the head comes, for the next one will be awaited soon:
 * a request costs no wake-up of this thread. The lock keeps the descriptor open meanwhile. */
static void look_at_head_locked(struct wakeups *w, struct link *link, uint64_t now)
{
    if (link->state != LINK_AWAITING_HEAD || w->stopping)
        return;
    if (link->head_due > now) {
        timer_set(&w->heap, &link->timer, link->head_due);
    } else {
        shutdown(link->fd, SHUT_RDWR); /* the daemon sees it as the client's end */
        link->state = LINK_IDLE;
    }
}

static void wake_due_locked(struct wakeups *w, uint64_t now)
{
    struct timer *first;
    while ((first = timer_first(&w->heap)) && (first->at <= now || w->stopping)) {
        struct link *link = link_of(first);
        timer_set(&w->heap, first, TIME_NEVER);
        if (link->state == LINK_SUSPENDED) {
            link->state = LINK_IDLE;
            MHD_resume_connection(link->connection);
        } else {
            look_at_head_locked(w, link, now);
        }
    }
}

static void wait_locked(struct wakeups *w)
{
    const struct timer *first = timer_first(&w->heap);
    if (!first) {
        pthread_cond_wait(&w->changed, &w->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(first->at / (uint64_t)NS_PER_S),
                             .tv_nsec = (long)(first->at % (uint64_t)NS_PER_S)};
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

static void *run(void *argument)
{
    struct wakeups *w = argument;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        wake_due_locked(w, clock_now());
        if (w->stopping)
            break;
        wait_locked(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

status wakeups_start(struct wakeups *w, error *err)
{
    pthread_condattr_t monotonic;
    *w = (struct wakeups){0};
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = thread_start(&w->thread, run, w);
    w->started = rc == 0;
    return rc ? fail_errno(err, WEIR_NOMEM, rc, "no thread for the server's timers") : OK;
}

void wakeups_stop(struct wakeups *w)
{
    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->started = false;
}

void wakeups_free(struct wakeups *w)
{
    timer_heap_free(&w->heap);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

bool wakeups_add(struct wakeups *w, struct link *link)
{
    pthread_mutex_lock(&w->lock);
    bool fine = timer_heap_reserve(&w->heap, w->links + 1);
    w->links += fine;
    pthread_mutex_unlock(&w->lock);
    return fine;
}

void wakeups_remove(struct wakeups *w, struct link *link)
{
    pthread_mutex_lock(&w->lock);
    timer_set(&w->heap, &link->timer, TIME_NEVER);
    w->links--;
    pthread_mutex_unlock(&w->lock);
}

bool wakeups_suspend(struct wakeups *w, struct link *link, uint64_t at)
{
    pthread_mutex_lock(&w->lock);
    bool fine = !w->stopping;
    if (fine) {
        if (link->state != LINK_SUSPENDED)
            MHD_suspend_connection(link->connection);
        link->state = LINK_SUSPENDED;
        set_locked(w, link, at);
    }
    pthread_mutex_unlock(&w->lock);
    return fine;
}

void wakeups_resume(struct wakeups *w, struct link *link)
{
    pthread_mutex_lock(&w->lock);
    timer_set(&w->heap, &link->timer, TIME_NEVER);
    link->state = LINK_IDLE;
    MHD_resume_connection(link->connection);
    pthread_mutex_unlock(&w->lock);
}

void wakeups_await_head(struct wakeups *w, struct link *link, uint64_t at)
{
    pthread_mutex_lock(&w->lock);
    if (!w->stopping) {
        link->state = LINK_AWAITING_HEAD;
        link->head_due = at;
        if (!link->timer.place || at < link->timer.at)
            set_locked(w, link, at);
    }
    pthread_mutex_unlock(&w->lock);
}

void wakeups_head_here(struct wakeups *w, struct link *link)
{
    pthread_mutex_lock(&w->lock);
    link->state = LINK_IDLE;
    pthread_mutex_unlock(&w->lock);
}
