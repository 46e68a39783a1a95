/* Who runs the chain of a fetch: its worker, or the chain thread beside it; see fetch.h. Worker
 * thread.
 *
 * A chain is lent where that is worth the copy: it is slow, its worker has nothing else in flight,
 * and a processor would idle, which it does not where much of the body goes on to a stream. That is
 * looked at every MiB, so a small body is never lent. What calls a program's own functions stays on
 * the worker, as promised.
 */
#include "engine/chain_thread.h"
#include "engine/fetch.h"

#define LOOK_EVERY (1 << 20) /* bytes */
#define SLOW 300             /* ns a KiB, of bytes as they come: a third of it is lost by lending */

static bool calls_back(const struct fetch *f)
{
    const weir_callbacks *cb = f->callbacks;
    return cb->on_data || cb->on_line || cb->on_record || f->worker->engine->stage_count;
}

static bool is_slow(const struct fetch *f)
{
    return f->lending.ns > f->lending.bytes / 1024 * SLOW;
}

static bool processor_idles(struct weir_engine *e)
{
    struct queue_counts counts;
    queue_counts(e->queue, &counts);
    return counts.in_flight < e->processors;
}

/* The stream's own thread then takes the processor that seems to idle. */
static bool fills_stream(struct fetch *f)
{
    return f->sink && f->sink->type == &sink_stream &&
           atomic_load_explicit(&f->lending.given, memory_order_relaxed) > (uint64_t)f->offset / 2;
}

static bool has_thread(struct worker *w)
{
    if (!w->chain_thread && !w->no_chain_thread) {
        w->chain_thread = chain_thread_new(worker_wake_from_chain, w);
        w->no_chain_thread = !w->chain_thread;
    }
    return w->chain_thread;
}

static bool is_to_be_lent(struct fetch *f)
{
    struct worker *w = f->worker;
    return w->in_flight == 1 && is_slow(f) && !calls_back(f) && !fills_stream(f) &&
           processor_idles(w->engine) && has_thread(w);
}

static status write_here(struct fetch *f, const char *data, size_t size)
{
    uint64_t begun = clock_now();
    status st = chain_write(f->chain, data, size, &f->verdict);
    f->lending.ns += clock_now() - begun;
    f->lending.bytes += size;
    return st;
}

status fetch_write_chain(struct fetch *f, const char *data, size_t size)
{
    struct worker *w = f->worker;
    if (f->offset >= f->lending.look_at) {
        f->lending.look_at = f->offset + LOOK_EVERY;
        if (is_to_be_lent(f))
            w->lent = f;
        else
            fetch_take_back(w);
    }
    if (w->lent == f)
        return chain_thread_write(w->chain_thread, f->chain, data, size, &f->verdict);
    return write_here(f, data, size);
}

void fetch_take_back(struct worker *w)
{
    struct fetch *f = w->lent;
    error err;
    if (!f)
        return;
    w->lent = NULL;
    status st = chain_thread_settle(w->chain_thread, &err);
    if (st == WEIR_END) {
        f->enough = !f->body;
    } else if (st && !f->verdict.status) {
        f->verdict = err;
        f->verdict.status = st;
        f->verdict.http_status = f->http_status;
    }
}

void fetch_heed_chain(struct worker *w)
{
    struct fetch *f = w->lent;
    fetch_take_back(w);
    if (!f->enough && !f->verdict.status)
        return; /* the body is saved too */
    struct transfer_result result = {.answered = true, .drained = true};
    transfer_cancel(f->transfer);
    fetch_ended(f, &result);
}
