/* See upload_commit.h. */
#include "serve/upload_commit.h"

#include <stdlib.h>

#include "core/thread.h"

#define GROUP 64

struct upload_commit {
    struct weir_server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct upload *first, **last;
    bool stopping;
};

/* Waits for the next group; 0: there will be none. */
static size_t take_group(struct upload_commit *c, struct upload *group[GROUP])
{
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->first && !c->stopping)
        pthread_cond_wait(&c->changed, &c->lock);
    while (c->first && n < GROUP) {
        group[n] = c->first;
        c->first = group[n++]->next;
    }
    if (!c->first)
        c->last = &c->first;
    pthread_mutex_unlock(&c->lock);
    return n;
}

static void *run(void *argument)
{
    struct upload_commit *c = argument;
    struct upload *group[GROUP];
    struct sink *sinks[GROUP];
    error *errs = calloc(GROUP, sizeof *errs);
    size_t n;
    while ((n = take_group(c, group)) > 0) {
        size_t most = errs ? n : 1;
        error one;
        for (size_t i = 0; i < n; i += most) {
            error *e = errs ? errs : &one;
            for (size_t k = 0; k < most; k++)
                sinks[k] = group[i + k]->sink;
            group[i]->sink->type->publish(sinks, most, &c->server->sinks, e);
            for (size_t k = 0; k < most; k++)
                group[i + k]->err = e[k];
        }
        /* Each may be gone as soon as it goes on. */
        for (size_t i = 0; i < n; i++) {
            struct link *link = group[i]->x->link;
            group[i]->committed = true;
            wakeups_resume(&c->server->wakeups, link);
        }
    }
    free(errs);
    return NULL;
}

status upload_commit_start(struct upload_commit **out, struct weir_server *server, error *err)
{
    struct upload_commit *c = calloc(1, sizeof *c);
    if (!c)
        return fail(err, WEIR_NOMEM, "out of memory for uploads");
    c->server = server;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    int rc = thread_start(&c->thread, run, c);
    if (rc == 0) {
        *out = c;
        return OK;
    }
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return fail_errno(err, WEIR_NOMEM, rc, "no thread for uploads");
}

void upload_commit_add(struct upload_commit *c, struct upload *u)
{
    pthread_mutex_lock(&c->lock);
    u->next = NULL;
    *c->last = u;
    c->last = &u->next;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void upload_commit_stop(struct upload_commit *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
