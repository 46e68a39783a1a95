/* The worker thread; see worker.h. */
#include "engine/worker.h"

#include <stdlib.h>

#include "core/fs.h"
#include "core/thread.h"
#include "engine/chain_thread.h"
#include "engine/fetch.h"

/* Bytes that libcurl may receive into, for all transfers of the run together: what a transfer gets
 * of them is large when few run and small when many do, so that two hundred stay flat. */
#define RECEIVE_TOTAL (4 << 20)
#define RECEIVE_MIN (16 << 10)
#define DISK_CHECK (250 * NS_PER_MS)

size_t buffer_share(const struct options *o, size_t total)
{
    size_t share = total / (size_t)o->run_concurrency;
    if (share > (size_t)o->run_buffer)
        share = (size_t)o->run_buffer;
    return share < RECEIVE_MIN ? RECEIVE_MIN : share;
}

static size_t receive_buffer(const struct options *o)
{
    /* A large read is a large debt where bytes are limited. */
    if (o->limits_bandwidth > 0 || o->limits_host_bandwidth > 0)
        return RECEIVE_MIN;
    return buffer_share(o, RECEIVE_TOTAL);
}

status worker_open(struct worker *w, struct weir_engine *engine, uint32_t index, error *err)
{
    *w = (struct worker){.engine = engine, .index = index, .tools = {.setup = &engine->setup}};
    pthread_mutex_init(&w->lock, NULL);
    rng_seed(&w->rng, 0);
    const struct options *o = engine->options;
    uint32_t share =
        ((uint32_t)o->run_concurrency + engine->worker_count - 1) / engine->worker_count;
    /* Segments of one file may take slots that no other worker wants. */
    if (o->save_segments != 1)
        share = (uint32_t)o->run_concurrency;
    struct net_loop_env env = {
        .options = o, .receive_buffer = receive_buffer(o), .transfers = share};
    return net_loop_open(&w->loop, &env, err);
}

void worker_close(struct worker *w)
{
    chain_thread_free(w->chain_thread);
    net_loop_close(w->loop);
    w->loop = NULL;
    stage_tools_close(&w->tools);
    pthread_mutex_destroy(&w->lock);
}

void worker_wake(struct worker *w)
{
    net_loop_wake(w->loop);
}

void worker_wake_from_chain(void *worker)
{
    worker_wake(worker);
}

/* save.min_free: when the disk gets low, what is in flight ends and nothing more begins. */
static bool disk_is_low(struct weir_engine *e, uint64_t now)
{
    if (e->options->save_min_free <= 0 || e->dirfd < 0)
        return false;
    if (atomic_load(&e->draining))
        return true;
    uint64_t due = atomic_load(&e->next_disk_check);
    if (now < due || !atomic_compare_exchange_strong(&e->next_disk_check, &due, now + DISK_CHECK))
        return false;
    int64_t left = fs_free_bytes(e->dirfd);
    if (left < 0 || left >= e->options->save_min_free)
        return false;
    atomic_store(&e->draining, true);
    return true;
}

/* Once nothing is in flight any more. */
static void stop_for_disk(struct weir_engine *e)
{
    struct queue_counts counts;
    queue_counts(e->queue, &counts);
    if (counts.in_flight > 0)
        return;
    error err;
    fail(&err, WEIR_DISK,
         "%s: less than save.min_free (%lld bytes) is left; free space and run the same command "
         "again",
         e->file_env.dir, (long long)e->options->save_min_free);
    run_stop(e, WEIR_DISK, &err);
}

/* Takes what the queue gives. False when the run has nothing more for this worker. */
static bool take_jobs(struct worker *w, uint64_t *when)
{
    struct weir_engine *e = w->engine;
    *when = TIME_NEVER;
    for (;;) {
        uint64_t now = clock_now();
        if (disk_is_low(e, now)) {
            stop_for_disk(e);
            *when = now + DISK_CHECK;
            return true;
        }
        struct job *job = NULL;
        switch (queue_try_take(e->queue, w->index, now, &job, when)) {
        case QUEUE_TOOK:
            fetch_take(w, job);
            break;
        case QUEUE_EMPTY:
            return true;
        case QUEUE_ENDED:
            return w->in_flight > 0;
        }
    }
}

void worker_forget_pause(struct worker *w, struct pause *p)
{
    if (!p->until)
        return;
    struct pause **at = &w->paused;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->until = 0;
}

void worker_pause(struct worker *w, struct pause *p, struct transfer *t, uint64_t instant)
{
    worker_forget_pause(w, p);
    p->until = instant;
    p->transfer = t;
    /* Reservations grow, so the place is nearly always the last; the list is as short as the
     * worker has slots. */
    struct pause **at = &w->paused;
    while (*at && (*at)->until <= instant)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    transfer_pause(t);
}

static void resume_due(struct worker *w, uint64_t now)
{
    while (w->paused && w->paused->until <= now) {
        struct pause *p = w->paused;
        worker_forget_pause(w, p);
        transfer_resume(p->transfer);
    }
}

static void cut_all(struct worker *w)
{
    while (w->fetches)
        fetch_cut(w->fetches);
    while (w->reading)
        fetch_cut(w->reading);
}

/* Without its loop a worker cannot end what it began, and the others would wait for it. */
static bool loop_goes_on(struct worker *w)
{
    error err;
    if (net_loop_state(w->loop, &err) == OK)
        return true;
    run_stop(w->engine, WEIR_NOMEM, &err);
    return false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    while (!run_stopping(w->engine)) {
        uint64_t when;
        if (!take_jobs(w, &when))
            break;
        if (w->paused && w->paused->until < when)
            when = w->paused->until;
        net_loop_wait(w->loop, w->reading ? 0 : when);
        if (!loop_goes_on(w))
            break;
        if (w->lent && chain_thread_objects(w->chain_thread))
            fetch_heed_chain(w);
        if (w->reading)
            fetch_catch_up_due(w);
        if (w->paused)
            resume_due(w, clock_now());
        if (w->blocked)
            fetch_resume_blocked(w);
    }
    cut_all(w);
    return NULL;
}

status worker_start(struct worker *w, error *err)
{
    int rc = thread_start(&w->thread, worker_main, w);
    if (rc)
        return fail_errno(err, WEIR_NOMEM, rc, "cannot start a worker thread");
    w->started = true;
    return OK;
}

static void describe(const struct fetch *f, uint64_t now, weir_transfer_info *row)
{
    const struct job *job = f->job;
    uint32_t shown = job->upload ? job->upload : job->name ? job->name : job->url;
    const char *name = job_text(job, shown);
    struct strbuf text = {.max = 4096};
    strbuf_add_printable(&text, span_of(name));
    size_t n = text.n < sizeof row->name - 1 ? text.n : sizeof row->name - 1;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    *row =
        (weir_transfer_info){.bytes = atomic_load_explicit(&f->shown_offset, memory_order_relaxed),
                             .size = atomic_load_explicit(&f->shown_size, memory_order_relaxed),
                             .elapsed_ms = (int64_t)(now - f->attempt_started) / NS_PER_MS};
    memcpy(row->name, strbuf_text(&text), n);
    strbuf_free(&text);
}

static int64_t weight(const struct fetch *f)
{
    int64_t size = atomic_load_explicit(&f->shown_size, memory_order_relaxed);
    int64_t offset = atomic_load_explicit(&f->shown_offset, memory_order_relaxed);
    return size > offset ? size : offset;
}

static int64_t row_weight(const weir_transfer_info *row)
{
    return row->size > row->bytes ? row->size : row->bytes;
}

size_t worker_transfers(struct worker *w, weir_transfer_info *rows, size_t n, size_t max)
{
    uint64_t now = clock_now();
    pthread_mutex_lock(&w->lock);
    for (struct fetch *f = w->fetches; f; f = f->next) {
        size_t at = n;
        while (at > 0 && row_weight(&rows[at - 1]) < weight(f))
            at--;
        if (at >= max)
            continue;
        size_t last = n < max ? n : max - 1;
        memmove(&rows[at + 1], &rows[at], (last - at) * sizeof *rows);
        describe(f, now, &rows[at]);
        n = last + 1;
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}
