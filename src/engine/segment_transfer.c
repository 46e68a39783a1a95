/* One exchange of one segment: request, answer, bytes, end; see segment.h. Worker thread, from
 * within net_loop_wait.
 */
#include <stdlib.h>

#include "engine/mirror.h"
#include "engine/redirect.h"
#include "engine/retry.h"
#include "engine/segment.h"

/* ------------------------------------------------------------------ bytes */

/* Where the digest stands just before them, it sees them now; else they are read back later. */
static status flush(struct segment *g, const char *data, size_t size, int64_t at)
{
    struct fetch *f = g->fetch;
    struct body_check *check = &f->check;
    status st = f->sink->type->write_at(f->sink, data, size, at, &g->verdict);
    if (!st && check->state && check->at == at)
        check_add(check, data, size);
    return st;
}

static status flush_gathered(struct segment *g)
{
    if (!g->gathered)
        return OK;
    size_t n = g->gathered;
    g->gathered = 0;
    status st = flush(g, g->buffer, n, g->at - (int64_t)n);
    if (st)
        g->at -= (int64_t)n;
    return st;
}

static status gather(struct segment *g, const char *data, size_t size)
{
    size_t capacity = g->fetch->worker->engine->file_env.buffer;
    if (!g->buffer && !(g->buffer = malloc(capacity)))
        return fail(&g->verdict, WEIR_NOMEM, "out of memory");
    status st = OK;
    while (!st && size > 0) {
        size_t n = capacity - g->gathered < size ? capacity - g->gathered : size;
        memcpy(g->buffer + g->gathered, data, n);
        g->gathered += n;
        g->at += (int64_t)n;
        data += n;
        size -= n;
        if (g->gathered == capacity)
            st = flush_gathered(g);
    }
    return st;
}

/* The range behind this one is nobody's, and the answer goes on: so does the segment. */
static void absorb(struct segment *g)
{
    struct segment *next = g->next;
    if (!next || next->transfer || next->at != g->to || g->until <= g->to)
        return;
    if (g->until >= next->to) {
        g->to = next->to;
        segment_remove(g->fetch, next);
    } else {
        g->to = next->at = next->from = g->until;
    }
}

/* ------------------------------------------------------------------ the end */

/* The transfer is over. */
static void let_go(struct segment *g, const struct host_report *report)
{
    worker_forget_pause(g->fetch->worker, &g->pause);
    g->transfer = NULL;
    g->fetch->segments->active--;
    segment_give_back_slot(g, report);
}

void segment_cut(struct segment *g)
{
    static const struct host_report silent = {.verdict = HOST_SILENT};
    struct transfer *t = g->transfer;
    let_go(g, &silent);
    transfer_cancel(t);
    flush_gathered(g);
}

static const struct options *options_of(const struct segment *g)
{
    return g->host ? g->host->options : g->fetch->job->host->options;
}

/* What the failure of one segment says of the host, and when to try again. */
static struct retry_decision judge(struct segment *g, const struct transfer_result *result)
{
    struct fetch *f = g->fetch;
    struct retry_facts facts = {.outcome = g->verdict.status,
                                .http_status = g->http_status,
                                .answered = result->answered,
                                .retry_after_ns = g->retry_after_ns,
                                .attempts = 1,
                                .progressed = g->at > g->from,
                                .urls = 1};
    return retry_decide(&facts, options_of(g), clock_now(), &f->worker->rng);
}

/* A failure without a byte makes fewer, down to one, whose failure is the fetch's. Those that bring
 * some are counted, for their range: the fetch's tries are spent when those of one range are. */
static bool is_spent(struct segment *g, int64_t retries)
{
    struct job *job = g->fetch->job;
    if (g->at == g->from) {
        segments_want_no_more(g->fetch->segments);
        return false;
    }
    if (++g->failures <= retries)
        return false;
    if (g->mirror != job->mirror) {
        g->fetch->segments->shunned |= (uint64_t)1 << g->mirror;
        g->failures = 0;
        return false;
    }
    if (job->attempts < g->failures)
        job->attempts = g->failures;
    return true;
}

static bool is_local(status st)
{
    return st == WEIR_DISK || st == WEIR_NOMEM || st == WEIR_NAME || st == WEIR_USAGE;
}

static void segment_failed(struct segment *g, const struct transfer_result *result)
{
    struct fetch *f = g->fetch;
    struct segments *s = f->segments;
    struct retry_decision d = judge(g, result);
    s->last = g->verdict;
    if (g->mirror != f->job->mirror && d.action == RETRY_GIVE_UP)
        s->shunned |= (uint64_t)1 << g->mirror;
    /* Where it was the last, the host hears of it at the end of the fetch. */
    bool is_end = (s->active == 1 && !g->host) || is_local(g->verdict.status);
    int64_t retries = options_of(g)->retry_retries;
    let_go(g, &d.host);
    g->not_before = d.at;
    is_end = is_spent(g, retries) || is_end;
    /* What is said of a range is not said of the file: it is asked for as ever before that counts.
     */
    if (is_end && d.action == RETRY_GIVE_UP && !is_local(g->verdict.status) && !f->no_split)
        f->no_split = f->restart = true;
    if (is_end)
        segments_end_failed(f, g, &g->verdict, result->answered);
    else
        segments_go_on(f);
}

static void segment_done(struct segment *g)
{
    struct fetch *f = g->fetch;
    struct host_report report = {.verdict = HOST_ANSWERED};
    const char *authority = g->host ? g->host->authority : f->job->host->authority;
    if (f->job->mirrors)
        mirror_board_served(f->worker->engine->mirrors, authority, g->at - g->from,
                            clock_now() - g->asked);
    let_go(g, &report);
    segment_remove(f, g);
    segments_go_on(f);
}

/* Another version of the body: nothing that is held can be used. */
static void body_changed(struct fetch *f, const struct segment *g)
{
    error verdict = g->verdict;
    f->no_range = f->restart = true;
    segments_end_failed(f, g, &verdict, true);
}

static void segment_end(void *owner, const struct transfer_result *result)
{
    struct segment *g = owner;
    struct fetch *f = g->fetch;
    if (!g->verdict.status)
        flush_gathered(g); /* which may fail in its turn */
    if (run_stopping(f->worker->engine) && (g->at < g->to || f->segments->first->next)) {
        struct host_report silent = {.verdict = HOST_SILENT};
        let_go(g, &silent);
        return; /* the worker cuts the fetch */
    }
    if (g->judged == SEGMENT_CHANGED) {
        body_changed(f, g);
        return;
    }
    if (result->unframed && !g->verdict.status) {
        g->verdict = result->error;
        body_changed(f, g);
        return;
    }
    if (!g->verdict.status && g->at == g->to) {
        segment_done(g);
        return;
    }
    if (!g->verdict.status)
        g->verdict = result->error;
    if (!g->verdict.status && g->at > g->from && g->at == g->until) {
        /* The server gave a part of what was asked for, as it may: the rest is a gap. */
        struct host_report report = {.verdict = HOST_ANSWERED};
        let_go(g, &report);
        segments_go_on(f);
        return;
    }
    if (!g->verdict.status)
        fail(&g->verdict, WEIR_TRUNCATED, "the range ended at byte %lld of %lld", (long long)g->at,
             (long long)g->to);
    segment_failed(g, result);
}

/* ------------------------------------------------------------------ an answer */

static enum body_verdict refuse(struct segment *g, enum segment_verdict judged)
{
    struct fetch *f = g->fetch;
    g->judged = judged;
    if (judged == SEGMENT_CHANGED) {
        fail(&g->verdict, WEIR_TRUNCATED, "the body changed while it was fetched in ranges");
    } else {
        f->no_split |= g->mirror == f->job->mirror;
        f->segments->shunned |= (uint64_t)1 << g->mirror;
        fail(&g->verdict, WEIR_TRUNCATED, "the server does not answer with the range asked for");
    }
    g->verdict.http_status = g->http_status;
    return BODY_CUT;
}

static enum body_verdict segment_head(void *owner, const struct response *r)
{
    struct segment *g = owner;
    struct fetch *f = g->fetch;
    g->http_status = r->http_status;
    g->retry_after_ns = r->retry_after_ns;
    if (r->http_status != 200 && r->http_status != 203 && r->http_status != 206 &&
        r->http_status != 416) {
        fail(&g->verdict, redirect_status(r->http_status) ? WEIR_REDIRECT : WEIR_HTTP,
             "the server answered %d to the request for a range", r->http_status);
        g->verdict.http_status = r->http_status;
        return BODY_DRAIN;
    }
    bool elsewhere = f->held_elsewhere || g->mirror != f->job->mirror;
    struct range_wanted wanted = {g->at, f->held.size, elsewhere ? NULL : f->held.etag,
                                  elsewhere ? NULL : f->held.last_modified};
    struct range_answer answer = {r->http_status, r->content_length, r->content_range, r->etag,
                                  r->last_modified};
    enum segment_verdict judged = range_judge_segment(&wanted, g->to, &answer, &g->until);
    if (judged == SEGMENT_CHANGED && elsewhere) /* another mirror cannot speak for this one */
        judged = SEGMENT_WRONG;
    if (judged != SEGMENT_FITS)
        return refuse(g, judged);
    g->answered = clock_now();
    f->segments->latency = g->answered - g->asked;
    return BODY_TAKE;
}

static void charge(struct segment *g, size_t size, uint64_t now)
{
    struct fetch *f = g->fetch;
    struct host *host = g->host ? g->host : f->job->host;
    uint64_t until = fetch_charge(f->worker->engine, host, size, now);
    if (until)
        worker_pause(f->worker, &g->pause, g->transfer, until);
}

static bool segment_data(void *owner, const char *data, size_t size)
{
    struct segment *g = owner;
    struct fetch *f = g->fetch;
    struct weir_engine *e = f->worker->engine;
    if (run_stopping(e))
        return false;
    uint64_t now = clock_now();
    if (g->at + (int64_t)size >= g->to)
        absorb(g);
    int64_t room = g->to - g->at;
    size_t n = (int64_t)size < room ? size : (size_t)room;
    atomic_fetch_add_explicit(&e->counters.bytes, (int64_t)n, memory_order_relaxed);
    if (gather(g, data, n))
        return false;
    f->attempt_bytes += (int64_t)n;
    atomic_fetch_add_explicit(&f->shown_offset, (int64_t)n, memory_order_relaxed);
    charge(g, size, now);
    segments_catch_up(f);
    if (now >= f->segments->look_at)
        segments_look(f, now);
    /* Where the answer ends with the segment, the connection can be used again. */
    return g->at < g->to || g->until == g->to;
}

static const struct transfer_ops segment_ops = {
    .on_head = segment_head, .on_data = segment_data, .on_end = segment_end};

/* ------------------------------------------------------------------ a request */

static void failed_to_begin(struct segment *g, status st)
{
    static const struct host_report silent = {.verdict = HOST_SILENT};
    g->verdict.status = g->verdict.status ? g->verdict.status : st;
    g->fetch->segments->last = g->verdict;
    segments_want_no_more(g->fetch->segments);
    segment_give_back_slot(g, &silent);
}

/* Sends the request for what is missing of `g`, which has a slot. */
bool segment_ask(struct segment *g, uint32_t mirror, struct host *host)
{
    struct fetch *f = g->fetch;
    struct transfer_request request;
    const struct options *options = host ? host->options : f->job->host->options;
    g->host = host;
    g->mirror = mirror;
    g->from = g->at;
    g->until = g->to;
    g->answered = 0;
    g->http_status = 0;
    g->retry_after_ns = -1;
    g->judged = SEGMENT_FITS;
    error_clear(&g->verdict);
    g->asked = clock_now();
    fetch_describe_request(f, mirror, segment_url(f, mirror), options, &request);
    request.range_from = g->at;
    request.range_to = g->to;
    if (mirror == f->job->mirror && !f->held_elsewhere)
        request.if_range = provenance_strong_validator(&f->held);
    status st =
        transfer_start(f->worker->loop, &request, &segment_ops, g, &g->transfer, &g->verdict);
    if (st) {
        g->transfer = NULL;
        failed_to_begin(g, st);
        return false;
    }
    f->segments->active++;
    return true;
}

/* The transfer under way becomes that of `g`, which begins where it stands. */
void segment_adopt(struct fetch *f, struct segment *g, uint64_t now)
{
    g->transfer = f->transfer;
    g->until = f->until;
    g->mirror = f->job->mirror;
    g->from = g->at;
    g->asked = f->attempt_started;
    g->answered = now;
    g->http_status = f->http_status;
    g->retry_after_ns = -1;
    g->judged = SEGMENT_FITS;
    error_clear(&g->verdict);
    f->segments->active++;
    f->segments->own_slot_used = true;
    f->segments->users[g->mirror]++;
    f->transfer = NULL;
    if (f->pause.until) {
        uint64_t until = f->pause.until;
        worker_forget_pause(f->worker, &f->pause);
        worker_pause(f->worker, &g->pause, g->transfer, until);
    }
    transfer_hand_over(g->transfer, &segment_ops, g);
}
