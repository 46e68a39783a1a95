/* The chain thread of a worker; see chain_thread.h. The lock guards the indices of the ring: bytes
 * between them are the chain thread's, all others are the worker's.
 */
#include "engine/chain_thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/thread.h"

enum {
    RING = 512 << 10,  /* bytes */
    LARGEST = 64 << 10 /* bytes that the chain is given at once: the worker gets room early */
};

struct chain_thread {
    pthread_t thread;
    void (*wake)(void *ctx);
    void *ctx;
    _Atomic bool objects;

    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    /* guarded by lock */
    struct chain *chain;
    uint64_t from, to; /* bytes that the chain has had, and that came; places are modulo RING */
    bool ends;
    status said; /* by the chain: the first that was not OK */
    error error;

    char ring[RING];
};

/* The next bytes that lie side by side; lock held. */
static size_t next_piece(const struct chain_thread *t, size_t at)
{
    size_t n = (size_t)(t->to - t->from);
    if (n > RING - at)
        n = RING - at;
    return n < LARGEST ? n : LARGEST;
}

/* Lock held, and let go while the chain works. */
static void work(struct chain_thread *t)
{
    size_t at = (size_t)(t->from % RING), n = next_piece(t, at);
    if (!t->said) {
        struct chain *chain = t->chain;
        error err;
        error_clear(&err);
        pthread_mutex_unlock(&t->lock);
        status st = chain_write(chain, t->ring + at, n, &err);
        pthread_mutex_lock(&t->lock);
        if (st) {
            t->said = st;
            t->error = err;
            atomic_store(&t->objects, true);
            t->wake(t->ctx);
        }
    }
    t->from += n;
    pthread_cond_signal(&t->drained);
}

static void *chain_thread_main(void *arg)
{
    struct chain_thread *t = arg;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (t->from == t->to && !t->ends)
            pthread_cond_wait(&t->filled, &t->lock);
        if (t->from == t->to)
            break;
        work(t);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void destroy(struct chain_thread *t)
{
    pthread_cond_destroy(&t->drained);
    pthread_cond_destroy(&t->filled);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct chain_thread *chain_thread_new(void (*wake)(void *ctx), void *ctx)
{
    struct chain_thread *t = malloc(sizeof *t);
    if (!t)
        return NULL;
    memset(t, 0, offsetof(struct chain_thread, ring));
    t->wake = wake;
    t->ctx = ctx;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->filled, NULL);
    pthread_cond_init(&t->drained, NULL);
    if (!thread_start(&t->thread, chain_thread_main, t))
        return t;
    destroy(t);
    return NULL;
}

void chain_thread_free(struct chain_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->ends = true;
    pthread_cond_signal(&t->filled);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    destroy(t);
}

/* What the chain has said; lock held. */
static status answer(const struct chain_thread *t, error *err)
{
    if (t->said && err)
        *err = t->error;
    return t->said;
}

/* Waits for room, and for what the chain has said; where it is: *at, *n bytes. */
static status find_room(struct chain_thread *t, struct chain *chain, size_t *at, size_t *n,
                        error *err)
{
    pthread_mutex_lock(&t->lock);
    while (t->to - t->from == RING)
        pthread_cond_wait(&t->drained, &t->lock);
    t->chain = chain;
    *at = (size_t)(t->to % RING);
    *n = RING - (size_t)(t->to - t->from);
    if (*n > RING - *at)
        *n = RING - *at;
    status st = answer(t, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

static void hand_on(struct chain_thread *t, size_t n)
{
    pthread_mutex_lock(&t->lock);
    bool waits = t->from == t->to;
    t->to += n;
    if (waits)
        pthread_cond_signal(&t->filled);
    pthread_mutex_unlock(&t->lock);
}

status chain_thread_write(struct chain_thread *t, struct chain *chain, const char *data,
                          size_t size, error *err)
{
    while (size) {
        size_t at, n;
        status st = find_room(t, chain, &at, &n, err);
        if (st)
            return st;
        if (n > size)
            n = size;
        memcpy(t->ring + at, data, n);
        hand_on(t, n);
        data += n;
        size -= n;
    }
    return OK;
}

status chain_thread_settle(struct chain_thread *t, error *err)
{
    pthread_mutex_lock(&t->lock);
    while (t->from != t->to)
        pthread_cond_wait(&t->drained, &t->lock);
    status st = answer(t, err);
    t->said = OK;
    atomic_store(&t->objects, false);
    pthread_mutex_unlock(&t->lock);
    return st;
}

bool chain_thread_objects(struct chain_thread *t)
{
    return atomic_load(&t->objects);
}
