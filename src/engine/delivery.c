/* Where the bytes of a body go: past the replay, into the sink of the body, through the chain, to
 * the callback; see fetch.h. Worker thread, from within net_loop_wait.
 *
 * A body that comes a second time and cannot be taken back is checked against the running hash of
 * what was consumed, and dropped up to there: chain, sinks and callbacks never see a byte twice.
 */
#include "engine/fetch.h"
#include "engine/segments.h"

status fetch_start_replay(struct fetch *f)
{
    if (!f->replay)
        f->replay = running_hash_new();
    if (!f->replay)
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    running_hash_reset(f->replay);
    f->replay_at = 0;
    f->replaying = true;
    return OK;
}

/* Where a body may have to be replayed, its hash runs along from the first byte. */
static status ensure_hash(struct fetch *f)
{
    if (f->hash || f->offset > 0 || !fetch_gives_away(f))
        return OK;
    f->hash = running_hash_new();
    return f->hash ? OK : fail(&f->verdict, WEIR_NOMEM, "out of memory");
}

/* Drops what was given before, once it has proved to be the same. Advances *data. */
static status replay(struct fetch *f, const char **data, size_t *size)
{
    int64_t missing = f->offset - f->replay_at;
    size_t n = *size < (uint64_t)missing ? *size : (size_t)missing;
    running_hash_add(f->replay, *data, n);
    f->replay_at += (int64_t)n;
    *data += n;
    *size -= n;
    if (f->replay_at < f->offset)
        return OK;
    f->replaying = false;
    if (f->hash && running_hash_value(f->hash) == running_hash_value(f->replay))
        return OK;
    return fail(&f->verdict, WEIR_CHECKSUM,
                "the body changed between two tries, and its first %lld bytes have been given out "
                "already; run it again from the start",
                (long long)f->offset);
}

/* What a callback has wished. Nothing but the callbacks of the file needs its rest when it has no
 * sink, and one callback is all of them. */
static status heed(struct fetch *f, weir_next wish)
{
    const weir_callbacks *cb = f->callbacks;
    int callbacks = (cb->on_data != NULL) + (cb->on_line != NULL) + (cb->on_record != NULL);
    if (wish == WEIR_NEXT)
        return OK;
    if (wish == WEIR_ENOUGH) {
        f->silenced = true;
        f->enough = !f->sink && !f->body && callbacks == 1 && !f->worker->engine->stage_count;
        return OK;
    }
    fail(&f->verdict, WEIR_CANCELLED, "stopped by the program");
    if (wish == WEIR_STOP_RUN)
        run_stop(f->worker->engine, WEIR_CANCELLED, &f->verdict);
    return WEIR_CANCELLED;
}

static status pass_chain(struct fetch *f, const char *data, size_t size)
{
    status st = fetch_write_chain(f, data, size);
    if (st == WEIR_END) {
        /* The result is whole; the rest of the body is worth fetching only for its own sake. */
        error_clear(&f->verdict);
        f->enough = !f->body;
        return OK;
    }
    weir_next wish = chain_file(f->chain)->wish;
    status wished = heed(f, wish);
    return wished ? wished : st;
}

static status pass_callback(struct fetch *f, const char *data, size_t size)
{
    if (!f->callbacks->on_data || f->silenced)
        return OK;
    return heed(f, f->callbacks->on_data((weir_file *)(void *)f, data, size, f->user));
}

/* The way of the bytes that count. */
static status take(struct fetch *f, const char *data, size_t size)
{
    const struct options *o = f->worker->engine->options;
    if (o->save_max_size > 0 && f->offset + (int64_t)size > o->save_max_size)
        return fail(&f->verdict, WEIR_POLICY, "the body is larger than save.max_size, %lld bytes",
                    (long long)o->save_max_size);
    status st = OK;
    if (f->body)
        st = f->body->type->write(f->body, data, size, &f->verdict);
    if (!st && f->chain)
        st = pass_chain(f, data, size);
    else if (!st && f->sink)
        st = f->sink->type->write(f->sink, data, size, &f->verdict);
    if (st)
        return st;
    check_add(&f->check, data, size);
    f->offset += (int64_t)size;
    f->attempt_bytes += (int64_t)size;
    f->delivered = true;
    atomic_store_explicit(&f->shown_offset, f->offset, memory_order_relaxed);
    if (f->hash)
        running_hash_add(f->hash, data, size);
    return f->chain ? OK : pass_callback(f, data, size);
}

static bool is_full(const struct fetch *f)
{
    return f->sink && f->sink->type->full && f->sink->type->full(f->sink);
}

uint64_t fetch_charge(struct weir_engine *e, struct host *host, size_t size, uint64_t now)
{
    uint64_t until = 0;
    struct pacer *pacers[2] = {&e->pacer, &host->pacer};
    for (int i = 0; i < 2; i++) {
        if (pacers[i]->ns_per_byte <= 0)
            continue;
        now = now ? now : clock_now();
        uint64_t at = pacer_charge(pacers[i], size, now);
        until = at > until ? at : until;
    }
    return until;
}

static void charge(struct fetch *f, size_t size)
{
    uint64_t until = fetch_charge(f->worker->engine, f->job->host, size, 0);
    if (until)
        worker_pause(f->worker, &f->pause, f->transfer, until);
    else if (is_full(f))
        fetch_block(f);
}

bool fetch_deliver(struct fetch *f, const char *data, size_t size)
{
    if (run_stopping(f->worker->engine))
        return false;
    size_t wire = size;
    atomic_fetch_add_explicit(&f->worker->engine->counters.bytes, (int64_t)size,
                              memory_order_relaxed);
    status st = f->replaying ? replay(f, &data, &size) : ensure_hash(f);
    if (!st && size)
        st = take(f, data, size);
    if (st) {
        if (!f->verdict.status)
            f->verdict.status = st;
        f->verdict.http_status = f->http_status;
        return false;
    }
    if (f->enough)
        return false;
    charge(f, wire);
    if (f->split_at) {
        uint64_t now = clock_now();
        if (now >= f->split_at)
            segments_consider(f, now);
    }
    return true;
}
