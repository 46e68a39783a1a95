/* The desk: what consumers ask for and say. Any thread; what is logged is logged before it counts
 * where others rely on it (commit), and after it where nobody does (release).
 */
#include <stdio.h>
#include <string.h>

#include "prefetch/prefetch_run.h"

/* ---- putting down ---- */

/* What the log shall say of a consumer. */
struct standing {
    char name[READER_NAME];
    uint32_t rank;
    uint64_t base, behind;
    bool committed;
};

static struct standing standing_locked(const struct weir_prefetch *p, uint32_t who)
{
    const struct reader_entry *e = &p->readers.at[who];
    struct standing s = {
        .rank = e->rank, .base = e->own.base, .behind = e->behind, .committed = e->committed};
    snprintf(s.name, sizeof s.name, "%s", e->name);
    return s;
}

static status put_down(struct weir_prefetch *p, const struct standing *s, bool sync, error *err)
{
    return cache_state_consumer(p, s->name, s->rank, s->base, s->committed, s->behind, sync, err);
}

/* A log that cannot be written ends the run: what it promises could not be kept. */
static status heed_log(struct weir_prefetch *p, status st, const error *err)
{
    if (st == WEIR_DISK)
        prefetch_break(p, err);
    return st;
}

/* ---- coming and going ---- */

status desk_join(struct weir_prefetch *p, const char *name, uint32_t rank, bool fresh,
                 uint32_t *who, error *err)
{
    struct standing s;
    error own;
    err = err ? err : &own;
    pthread_mutex_lock(&p->state_lock);
    pthread_mutex_lock(&p->lock);
    status st = readers_join(&p->readers, name, rank, fresh, who, err);
    if (!st) {
        s = standing_locked(p, *who);
        if (fresh)
            p->presence[*who].has_had = p->presence[*who].pushed = false;
        prefetch_changed_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
    if (!st)
        st = put_down(p, &s, false, err);
    pthread_mutex_unlock(&p->state_lock);
    return heed_log(p, st, err);
}

void desk_come_and_go(struct weir_prefetch *p, uint32_t who, int by)
{
    pthread_mutex_lock(&p->lock);
    struct presence *here = &p->presence[who];
    here->connections = (uint32_t)((int)here->connections + by);
    here->by_connection = true;
    here->gone_at = here->connections ? 0 : clock_now();
    if (!here->connections) {
        p->window.waiting[who] = NO_SEQ;
        prefetch_changed_locked(p);
        prefetch_arrived_locked(p); /* all may be done, and this the last to go */
    }
    pthread_mutex_unlock(&p->lock);
}

/* When this one has been gone for long enough. Who has released everything holds nothing. */
static uint64_t deadline_of(const struct weir_prefetch *p, uint32_t who)
{
    const struct reader_entry *e = &p->readers.at[who];
    const struct presence *here = &p->presence[who];
    int64_t patience = p->options->prefetch_consumer_timeout;
    bool has_more = p->readers.rules.mode == READ_QUEUE || e->own.base < readers_end(&p->readers);
    bool counts = e->used && e->joined && has_more && here->by_connection && !here->connections;
    return patience > 0 && counts ? here->gone_at + (uint64_t)patience : TIME_NEVER;
}

uint64_t desk_next_deadline_locked(struct weir_prefetch *p)
{
    uint64_t due = TIME_NEVER;
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (deadline_of(p, i) < due)
            due = deadline_of(p, i);
    return due;
}

static status forget(struct weir_prefetch *p, uint32_t who, const char *name, error *err)
{
    pthread_mutex_lock(&p->state_lock);
    status st = cache_state_left(p, name, err);
    pthread_mutex_lock(&p->lock);
    if (!st && readers_find(&p->readers, name) == who) {
        readers_forget(&p->readers, who);
        p->presence[who] = (struct presence){0};
        p->window.waiting[who] = NO_SEQ;
        prefetch_changed_locked(p);
        prefetch_arrived_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->state_lock);
    return heed_log(p, st, err);
}

void desk_forget_gone(struct weir_prefetch *p, uint64_t now)
{
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        char name[READER_NAME];
        error err;
        pthread_mutex_lock(&p->lock);
        bool gone = deadline_of(p, i) <= now;
        if (gone)
            snprintf(name, sizeof name, "%s", p->readers.at[i].name);
        pthread_mutex_unlock(&p->lock);
        if (gone && forget(p, i, name, &err) == OK)
            prefetch_say(p,
                         "the consumer \"%s\" has been gone for prefetch.consumer_timeout and "
                         "is forgotten",
                         name);
    }
}

status desk_forget(struct weir_prefetch *p, const char *name, error *err)
{
    pthread_mutex_lock(&p->lock);
    uint32_t who = readers_find(&p->readers, name);
    pthread_mutex_unlock(&p->lock);
    if (who == NO_READER)
        return fail(err, WEIR_USAGE, "there is no consumer \"%s\"", name);
    return forget(p, who, name, err);
}

/* ---- giving ---- */

static void describe(struct weir_prefetch *p, uint64_t seq, weir_shard *out)
{
    const struct reading_rules *u = &p->readers.rules;
    memset(out, 0, sizeof *out);
    out->seq = seq;
    out->index = readers_index(&p->readers, seq);
    out->epoch = (seq - u->start) / u->count;
    out->size = -1;
}

static weir_shard_state refuse(weir_shard *out, const error *err)
{
    out->error = *err;
    return WEIR_SHARD_FAILED;
}

static weir_shard_state closed(const struct weir_prefetch *p, weir_shard *out)
{
    out->error = p->broken;
    return WEIR_SHARD_CLOSED;
}

static void note_given(struct weir_prefetch *p, uint32_t who, uint64_t seq)
{
    p->presence[who].has_had = true;
    p->stats.delivered++;
    window_opened(&p->window, seq);
}

/* A position that cannot be had is passed over by this consumer. */
static weir_shard_state give_bad(struct weir_prefetch *p, uint32_t who, uint64_t seq,
                                 const struct note *n, weir_shard *out)
{
    error err;
    bool skipped = n && n->skipped;
    if (n)
        out->error = n->why;
    if (readers_deliver(&p->readers, who, seq, &err) ||
        readers_release(&p->readers, who, seq, &err))
        return refuse(out, &err);
    note_given(p, who, seq);
    prefetch_changed_locked(p);
    return skipped ? WEIR_SHARD_SKIPPED : WEIR_SHARD_FAILED;
}

/* Was it there in good time? Of what came in an earlier run, of a first shard, and of what is asked
 * for out of turn nothing follows for those to come; nor of what is pushed to who is busy. */
static void note_spare(struct weir_prefetch *p, uint32_t who, uint64_t seq, const struct note *n)
{
    const struct presence *here = &p->presence[who];
    uint64_t now = clock_now();
    if (!n->started || !here->has_had || seq != readers_next(&p->readers, who) ||
        (here->pushed && readers_holds(&p->readers, who)))
        return;
    lookahead_spared(&p->lookahead, n->ready - n->started, now > n->ready ? now - n->ready : 0);
}

static weir_shard_state give(struct weir_prefetch *p, uint32_t who, uint64_t seq,
                             const struct slot *s, const struct note *n, weir_shard *out)
{
    error err;
    int length = snprintf(out->path, sizeof out->path, "%s/%s", p->dir, n->name);
    if (length < 0 || (size_t)length >= sizeof out->path) {
        fail(&err, WEIR_NAME, "%s/%s: the path is too long", p->dir, n->name);
        return refuse(out, &err);
    }
    note_spare(p, who, seq, n);
    if (readers_deliver(&p->readers, who, seq, &err))
        return refuse(out, &err);
    out->size = s->size;
    snprintf(out->digest, sizeof out->digest, "%s", n->digest ? n->digest : "");
    note_given(p, who, seq);
    return WEIR_SHARD_READY;
}

weir_shard_state desk_try_locked(struct weir_prefetch *p, uint32_t who, bool next, uint64_t seq,
                                 weir_shard *out)
{
    error err;
    if (next)
        seq = readers_next(&p->readers, who);
    describe(p, seq == NO_SEQ ? p->readers.rules.start : seq, out);
    if (p->stopping)
        return closed(p, out);
    if (seq >= readers_end(&p->readers)) /* NO_SEQ too */
        return WEIR_SHARD_END;
    if (!next && readers_may_have(&p->readers, who, seq, &err))
        return refuse(out, &err);
    struct slot *s = window_slot(&p->window, out->index);
    const struct note *n = note_of(s);
    if (s && s->state == SLOT_BAD)
        return give_bad(p, who, seq, n, out);
    if (!p->filled || !s || s->state != SLOT_READY || !n || !n->name)
        return WEIR_SHARD_TIMEOUT;
    return give(p, who, seq, s, n, out);
}

void desk_given(struct weir_prefetch *p, uint32_t who, weir_shard_state state,
                const weir_shard *shard)
{
    struct standing s;
    error err;
    bool given = state == WEIR_SHARD_READY || state == WEIR_SHARD_SKIPPED ||
                 (state == WEIR_SHARD_FAILED && shard->error.status != WEIR_USAGE);
    if (!given || p->readers.rules.mode != READ_QUEUE)
        return;
    pthread_mutex_lock(&p->lock);
    s = standing_locked(p, who);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_lock(&p->state_lock);
    status st = cache_state_given(p, shard->seq, s.name, state != WEIR_SHARD_READY, &err);
    pthread_mutex_unlock(&p->state_lock);
    heed_log(p, st, &err);
}

void desk_wait_locked(struct weir_prefetch *p, uint32_t who, bool next, uint64_t seq)
{
    if (next)
        seq = readers_next(&p->readers, who);
    if (p->window.waiting[who] == seq)
        return;
    p->window.waiting[who] = seq;
    prefetch_changed_locked(p);
}

/* 0: each reads all. */
static uint32_t sharers(const struct weir_prefetch *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; p->readers.rules.mode != READ_SHARED && i < READERS_MAX; i++)
        n += p->readers.at[i].joined;
    return n;
}

void desk_waited_locked(struct weir_prefetch *p, uint32_t who, uint64_t since, bool stalled)
{
    p->window.waiting[who] = NO_SEQ;
    /* Another thread of this consumer may wait for another one, and says so again. */
    pthread_cond_broadcast(&p->arrived);
    uint64_t now = clock_now(), passed = now > since ? now - since : 0;
    if (!stalled)
        return;
    p->stats.stalls++;
    p->stats.stalled_ms += (int64_t)(passed / NS_PER_MS);
    lookahead_stalled(&p->lookahead, passed, sharers(p));
}

/* ---- letting go ---- */

/* In the pool each position has a line of its own. */
static status put_down_release(struct weir_prefetch *p, const struct standing *s, uint64_t seq,
                               bool queue, error *err)
{
    pthread_mutex_lock(&p->state_lock);
    status st = queue ? cache_state_given(p, seq, s->name, true, err) : put_down(p, s, false, err);
    pthread_mutex_unlock(&p->state_lock);
    return heed_log(p, st, err);
}

/* Of those who read all, the first one to release a position sets the pace. */
static void note_consumed(struct weir_prefetch *p, uint64_t seq, bool again)
{
    bool first = seq >= p->high;
    if (first)
        p->high = seq + 1;
    if (p->readers.rules.mode == READ_SHARED ? first : !again)
        lookahead_consumed(&p->lookahead, clock_now());
}

status desk_release(struct weir_prefetch *p, uint32_t who, uint64_t seq, error *err)
{
    error own;
    err = err ? err : &own;
    pthread_mutex_lock(&p->lock);
    bool queue = p->readers.rules.mode == READ_QUEUE;
    uint64_t before = p->readers.at[who].own.base;
    bool again = cursor_released(readers_cursor_of(&p->readers, who), seq);
    status st = readers_release(&p->readers, who, seq, err);
    struct standing s = standing_locked(p, who);
    if (!st) {
        p->stats.released += !again;
        note_consumed(p, seq, again);
        prefetch_changed_locked(p);
        if (readers_done(&p->readers))
            prefetch_arrived_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
    if (st || (!queue && s.base == before))
        return st;
    return put_down_release(p, &s, seq, queue, err);
}

status desk_commit(struct weir_prefetch *p, uint32_t who, uint64_t seq, error *err)
{
    error own;
    err = err ? err : &own;
    pthread_mutex_lock(&p->state_lock);
    pthread_mutex_lock(&p->lock);
    struct standing s = standing_locked(p, who);
    const struct reading_rules *u = &p->readers.rules;
    bool exists = seq >= u->start && seq < readers_end(&p->readers);
    pthread_mutex_unlock(&p->lock);
    status st = OK;
    if (exists && (!s.committed || seq + 1 > s.behind)) {
        s.behind = seq + 1;
        s.committed = true;
        st = put_down(p, &s, p->options->save_durability != DURABILITY_NONE, err);
    }
    if (!st) {
        pthread_mutex_lock(&p->lock);
        st = readers_commit(&p->readers, who, seq, err);
        prefetch_changed_locked(p);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->state_lock);
    return heed_log(p, st, err);
}
