/* Requests and answers of the line protocol; see line_talk.h and weir/prefetch.h. */
#include "prefetch/line_talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MOST 4096
#define OUT_MOST ((size_t)1 << 20)
#define PUSH_MOST ((size_t)64 << 10) /* READY lines that nobody has read yet */

struct talk *talk_new(struct weir_prefetch *p, int in, int out, bool own)
{
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->p = p;
    t->in = in;
    t->out = out;
    t->own = own;
    t->incoming.max = 16 * LINE_MOST;
    t->outgoing.max = OUT_MOST;
    return t;
}

static uint32_t who_is(struct talk *t)
{
    pthread_mutex_lock(&t->p->lock);
    uint32_t who = *t->name ? readers_find(&t->p->readers, t->name) : NO_READER;
    pthread_mutex_unlock(&t->p->lock);
    return who;
}

static void stop_waiting(struct talk *t, uint32_t who, bool stalled)
{
    t->pending = t->began = false;
    if (who == NO_READER)
        return;
    pthread_mutex_lock(&t->p->lock);
    desk_waited_locked(t->p, who, t->since, stalled);
    pthread_mutex_unlock(&t->p->lock);
}

void talk_close(struct talk *t)
{
    uint32_t who = who_is(t);
    if (t->began)
        stop_waiting(t, who, false);
    if (who != NO_READER)
        desk_come_and_go(t->p, who, -1);
    if (t->own)
        close(t->in);
    strbuf_free(&t->incoming);
    strbuf_free(&t->outgoing);
    free(t);
}

bool talk_wants_input(const struct talk *t)
{
    return !t->in_ended && !t->bye && t->incoming.n < 8 * LINE_MOST &&
           (t->push || t->outgoing.n < OUT_MOST / 2);
}

/* ---- answers ---- */

static void say_error(struct talk *t, const error *err)
{
    strbuf_addf(&t->outgoing, "ERROR %s %s\n", weir_status_name(err->status), err->message);
}

static void say_status(struct talk *t, status st, const error *err)
{
    if (st)
        say_error(t, err);
    else if (!t->push)
        strbuf_adds(&t->outgoing, "OK\n");
}

static void say_shard(struct talk *t, weir_shard_state state, const weir_shard *s)
{
    struct strbuf *out = &t->outgoing;
    switch (state) {
    case WEIR_SHARD_READY:
        strbuf_addf(out, "READY %" PRIu64 " ", s->seq);
        if (!t->push)
            strbuf_addf(out, "%" PRId64 " %s ", s->size, *s->digest ? s->digest : "-");
        strbuf_addf(out, "%s\n", s->path);
        break;
    case WEIR_SHARD_SKIPPED:
    case WEIR_SHARD_FAILED:
        if (s->error.status == WEIR_USAGE) {
            say_error(t, &s->error);
            break;
        }
        strbuf_addf(out, "%s %" PRIu64 " %s %s\n",
                    state == WEIR_SHARD_SKIPPED ? "SKIPPED" : "FAILED", s->seq,
                    weir_status_name(s->error.status), s->error.message);
        break;
    case WEIR_SHARD_TIMEOUT:
        strbuf_adds(out, "TIMEOUT\n");
        break;
    case WEIR_SHARD_END:
        strbuf_adds(out, "END\n");
        break;
    case WEIR_SHARD_CLOSED:
        if (!t->push)
            strbuf_adds(out, "CLOSED\n");
        break;
    }
}

static void say_stats(struct talk *t)
{
    weir_prefetch_stats s;
    weir_prefetch_look(t->p, &s);
    strbuf_addf(&t->outgoing,
                "OK {\"shards\":%" PRIu64 ",\"position\":%" PRIu64 ",\"ready\":%" PRIu64
                ",\"downloading\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"consumers\":%" PRIu64,
                s.shards, s.position, s.ready, s.downloading, s.waiting, s.consumers);
    strbuf_addf(&t->outgoing,
                ",\"delivered\":%" PRIu64 ",\"released\":%" PRIu64 ",\"fetched\":%" PRIu64
                ",\"refetched\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"stalls\":%" PRIu64
                ",\"stalled_ms\":%" PRId64,
                s.delivered, s.released, s.fetched, s.refetched, s.bad, s.stalls, s.stalled_ms);
    strbuf_addf(
        &t->outgoing,
        ",\"disk_bytes\":%" PRId64 ",\"disk_peak_bytes\":%" PRId64 ",\"budget_bytes\":%" PRId64
        ",\"received_bytes\":%" PRId64 ",\"ahead\":%" PRIu64 ",\"elapsed_ms\":%" PRId64 "}\n",
        s.disk_bytes, s.disk_peak_bytes, s.budget_bytes, s.received_bytes, s.ahead, s.elapsed_ms);
}

/* ---- requests ---- */

/* The next word of *rest; empty: there is none. */
static struct span word(struct span *rest)
{
    const char *space = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    size_t n = space ? (size_t)(space - rest->p) : rest->n;
    struct span w = {rest->p, n};
    rest->p += space ? n + 1 : n;
    rest->n -= space ? n + 1 : n;
    return w;
}

static bool number(struct span *rest, uint64_t *out, bool *given)
{
    struct span w = word(rest);
    if (given)
        *given = w.n > 0;
    if (!w.n && given)
        return true;
    return w.n && parse_uint64(w, out);
}

static void usage(struct talk *t, const char *text)
{
    error err;
    fail(&err, WEIR_USAGE, "%s", text);
    say_error(t, &err);
}

static void greet(struct talk *t, uint32_t who)
{
    static const char *const modes[] = {"shared", "strided", "queue"};
    struct weir_prefetch *p = t->p;
    pthread_mutex_lock(&p->lock);
    uint64_t next = readers_next(&p->readers, who), end = readers_end(&p->readers);
    const struct reading_rules *u = &p->readers.rules;
    bool strided = u->mode == READ_STRIDED;
    uint32_t rank = strided ? p->readers.at[who].rank : 0;
    pthread_mutex_unlock(&p->lock);
    strbuf_addf(&t->outgoing, "OK %" PRIu64 " %" PRIu64 " %s %u %u\n", next < end ? next : end, end,
                modes[u->mode], rank, strided ? u->expected : 1);
}

static void say_held(struct talk *t, uint32_t who)
{
    struct weir_prefetch *p = t->p;
    strbuf_adds(&t->outgoing, "OK");
    pthread_mutex_lock(&p->lock);
    const struct cursor *c = readers_cursor_of(&p->readers, who);
    bool queue = p->readers.rules.mode == READ_QUEUE;
    for (size_t i = 0; i < c->count; i++)
        if (c->held[i].delivered && !c->held[i].released && (!queue || c->held[i].owner == who))
            strbuf_addf(&t->outgoing, " %" PRIu64, c->held[i].seq);
    pthread_mutex_unlock(&p->lock);
    strbuf_addc(&t->outgoing, '\n');
}

static status join(struct talk *t, const char *name, uint32_t rank, bool fresh, uint32_t *who,
                   error *err)
{
    uint32_t before = who_is(t);
    status st = desk_join(t->p, name, rank, fresh, who, err);
    if (st)
        return st;
    if (before != *who) {
        desk_come_and_go(t->p, *who, 1);
        if (before != NO_READER)
            desk_come_and_go(t->p, before, -1);
    }
    snprintf(t->name, sizeof t->name, "%s", name);
    return OK;
}

static void take_hello(struct talk *t, struct span rest, bool fresh)
{
    char name[READER_NAME + 1];
    uint64_t rank = UINT32_MAX;
    bool ranked;
    uint32_t who;
    error err;
    struct span w = word(&rest);
    if (!w.n || !number(&rest, &rank, &ranked) || rank > UINT32_MAX) {
        usage(t, "write HELLO NAME, or HELLO NAME RANK");
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(w.n < READER_NAME ? w.n : READER_NAME), w.p);
    if (join(t, name, (uint32_t)rank, fresh, &who, &err))
        say_error(t, &err);
    else
        greet(t, who);
}

static void begin_wait(struct talk *t, struct span rest, bool next)
{
    uint64_t ms = 0;
    bool limited;
    if ((!next && !number(&rest, &t->seq, NULL)) || !number(&rest, &ms, &limited)) {
        usage(t, next ? "write NEXT, or NEXT MS" : "write WAIT SEQ, or WAIT SEQ MS");
        return;
    }
    t->since = clock_now();
    if (ms > (uint64_t)1 << 40)
        ms = (uint64_t)1 << 40;
    t->until = limited ? t->since + ms * NS_PER_MS : TIME_NEVER;
    t->next = next;
    t->pending = true;
    t->began = false;
}

static void take_position(struct talk *t, uint32_t who, struct span rest,
                          status (*say)(struct weir_prefetch *, uint32_t, uint64_t, error *))
{
    uint64_t seq;
    error err;
    if (!number(&rest, &seq, NULL) || rest.n) {
        usage(t, "write RELEASE SEQ or COMMIT SEQ");
        return;
    }
    status st = say(t->p, who, seq, &err);
    say_status(t, st, &err);
}

static void take_forget(struct talk *t, struct span rest)
{
    char name[READER_NAME + 1];
    error err;
    struct span w = word(&rest);
    snprintf(name, sizeof name, "%.*s", (int)(w.n < READER_NAME ? w.n : READER_NAME), w.p);
    status st = desk_forget(t->p, name, &err);
    say_status(t, st, &err);
}

/* Requests that need no consumer. */
static bool take_general(struct talk *t, struct span verb, struct span rest)
{
    if (span_equal(verb, "HELLO") || span_equal(verb, "AGAIN"))
        take_hello(t, rest, span_equal(verb, "HELLO"));
    else if (span_equal(verb, "STATUS"))
        say_stats(t);
    else if (span_equal(verb, "FORGET"))
        take_forget(t, rest);
    else if (span_equal(verb, "BYE")) {
        strbuf_adds(&t->outgoing, "OK\n");
        t->bye = true;
    } else
        return false;
    return true;
}

static void take_line(struct talk *t, struct span line)
{
    struct span rest = line;
    struct span verb = word(&rest);
    if (!t->push && take_general(t, verb, rest))
        return;
    uint32_t who = who_is(t);
    if (who == NO_READER)
        usage(t, *t->name ? "this consumer has been forgotten; say HELLO again"
                          : "say HELLO NAME first");
    else if (span_equal(verb, "RELEASE"))
        take_position(t, who, rest, desk_release);
    else if (span_equal(verb, "COMMIT"))
        take_position(t, who, rest, desk_commit);
    else if (!t->push && span_equal(verb, "HELD"))
        say_held(t, who);
    else if (!t->push && span_equal(verb, "NEXT"))
        begin_wait(t, rest, true);
    else if (!t->push && span_equal(verb, "WAIT"))
        begin_wait(t, rest, false);
    else if (verb.n)
        usage(t, t->push ? "only RELEASE SEQ and COMMIT SEQ are known here"
                         : "requests are HELLO AGAIN NEXT WAIT RELEASE COMMIT HELD FORGET STATUS "
                           "BYE");
}

/* Takes one whole line; false: there is none. */
static bool take_next_line(struct talk *t)
{
    char line[LINE_MOST];
    const char *newline = t->incoming.n ? memchr(t->incoming.p, '\n', t->incoming.n) : NULL;
    size_t n = newline ? (size_t)(newline - t->incoming.p) : t->incoming.n;
    if (!newline && n < LINE_MOST && !(t->in_ended && n))
        return false;
    size_t used = newline ? n + 1 : n;
    bool fits = n < LINE_MOST;
    if (fits)
        memcpy(line, t->incoming.p, n);
    memmove(t->incoming.p, t->incoming.p + used, t->incoming.n - used);
    t->incoming.n -= used;
    if (fits && n && line[n - 1] == '\r')
        n--;
    if (fits)
        take_line(t, (struct span){line, n});
    else
        usage(t, "the line is too long");
    return true;
}

/* ---- waiting ---- */

static void answer_pending(struct talk *t)
{
    struct weir_prefetch *p = t->p;
    weir_shard shard;
    uint32_t who = who_is(t);
    if (who == NO_READER) {
        usage(t, "this consumer has been forgotten; say HELLO again");
        t->pending = t->began = false;
        return;
    }
    pthread_mutex_lock(&p->lock);
    weir_shard_state state = desk_try_locked(p, who, t->next, t->seq, &shard);
    bool over = state != WEIR_SHARD_TIMEOUT || clock_now() >= t->until;
    if (!over) {
        if (!t->began)
            t->stalls = p->presence[who].has_had;
        t->began = true;
        desk_wait_locked(p, who, t->next, t->seq);
    }
    pthread_mutex_unlock(&p->lock);
    if (!over)
        return;
    if (t->began)
        stop_waiting(t, who, t->stalls && state != WEIR_SHARD_END);
    t->pending = false;
    desk_given(p, who, state, &shard);
    say_shard(t, state, &shard);
}

/* Has it released all that it was given? Then it stands still for want of a shard. */
static bool is_idle_locked(struct weir_prefetch *p, uint32_t who)
{
    const struct cursor *c = readers_cursor_of(&p->readers, who);
    return c->base >= c->high;
}

static void note_stall(struct talk *t, uint32_t who, bool stands)
{
    struct weir_prefetch *p = t->p;
    if (stands && !t->began) {
        t->began = true;
        t->since = clock_now();
        pthread_mutex_lock(&p->lock);
        t->stalls = p->presence[who].has_had;
        desk_wait_locked(p, who, true, 0);
        pthread_mutex_unlock(&p->lock);
    } else if (!stands && t->began) {
        stop_waiting(t, who, t->stalls);
    }
}

/* Gives out all that is there. */
static void push_ready(struct talk *t)
{
    struct weir_prefetch *p = t->p;
    uint32_t who = who_is(t);
    bool stands = false;
    while (who != NO_READER && !t->all_given && !t->failure.status && t->outgoing.n < PUSH_MOST) {
        weir_shard shard;
        pthread_mutex_lock(&p->lock);
        stands = is_idle_locked(p, who);
        weir_shard_state state = desk_try_locked(p, who, true, 0, &shard);
        pthread_mutex_unlock(&p->lock);
        if (state == WEIR_SHARD_TIMEOUT || state == WEIR_SHARD_CLOSED)
            break;
        stands = false;
        desk_given(p, who, state, &shard);
        say_shard(t, state, &shard);
        t->all_given = state == WEIR_SHARD_END;
        if (state == WEIR_SHARD_FAILED)
            t->failure = shard.error;
    }
    if (who != NO_READER)
        note_stall(t, who, stands);
}

void talk_go_on(struct talk *t)
{
    do {
        if (t->pending)
            answer_pending(t);
    } while (!t->pending && t->outgoing.n < OUT_MOST / 2 && take_next_line(t));
    if (t->push)
        push_ready(t);
}

status talk_push(struct talk *t, const char *name, uint32_t rank, error *err)
{
    uint32_t who;
    t->push = true;
    status st = join(t, name, rank, true, &who, err);
    if (st)
        return st;
    pthread_mutex_lock(&t->p->lock);
    t->p->presence[who].pushed = true;
    pthread_mutex_unlock(&t->p->lock);
    return OK;
}

bool talk_has_released_all(struct talk *t)
{
    struct weir_prefetch *p = t->p;
    uint32_t who = who_is(t);
    pthread_mutex_lock(&p->lock);
    bool all =
        who == NO_READER || readers_cursor_of(&p->readers, who)->base >= readers_end(&p->readers);
    pthread_mutex_unlock(&p->lock);
    return all;
}
