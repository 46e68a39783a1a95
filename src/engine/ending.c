/* The end of a transfer, and what it means for the fetch: done, a hop, another try, or failed.
 * Worker thread.
 *
 * Two rules hold the order together: the slot is freed exactly once for each time that the queue
 * has handed the job out, and after queue_put_later or commit_post the job belongs to somebody
 * else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/commit.h"
#include "engine/fetch.h"
#include "engine/mirror.h"
#include "engine/redirect.h"
#include "engine/retry.h"
#include "engine/sending.h"
#include "net/address.h"
#include "net/url.h"

#define DESCRIPTOR_WAIT (100 * NS_PER_MS)
#define DESCRIPTOR_PATIENCE (5 * NS_PER_S) /* without anything being completed */

static void free_slot(struct fetch *f, const struct host_report *report)
{
    struct weir_engine *e = f->worker->engine;
    f->worker->in_flight--;
    char host[256];
    snprintf(host, sizeof host, "%s", f->job->host->authority);
    uint64_t now = clock_now();
    if (queue_slot_free(e->queue, f->job, report, now) && report->hold_until > now)
        commit_event(e->commit, WEIR_EVENT_HELD, NULL, host,
                     (int64_t)(report->hold_until - now) / NS_PER_MS, 0, &f->verdict);
}

static void free_slot_as(struct fetch *f, enum host_verdict verdict)
{
    struct host_report report = {.verdict = verdict};
    free_slot(f, &report);
}

/* The first of a kind is told, all are counted. */
static void warn_once(struct fetch *f, _Atomic bool *said, const char *text)
{
    struct weir_engine *e = f->worker->engine;
    if (atomic_exchange(said, true))
        return;
    struct strbuf line = {.max = 4096};
    strbuf_adds(&line, f->shown_url);
    strbuf_addf(&line, ": %s", text);
    commit_event(e->commit, WEIR_EVENT_WARNING, strbuf_text(&line), NULL, 0, 0, NULL);
    strbuf_free(&line);
}

static void note_counts(struct fetch *f)
{
    struct weir_engine *e = f->worker->engine;
    if (!f->chain)
        return;
    const struct stage_counts *n = &chain_file(f->chain)->counts;
    f->outcome->counts = malloc(sizeof *n);
    if (f->outcome->counts)
        *f->outcome->counts = *n;
    if (n->bad_records && e->setup.bad_records == BAD_SKIP)
        warn_once(f, &e->said_bad_record, n->first_bad.message);
    if (n->long_lines)
        warn_once(f, &e->said_long_line,
                  "a line is longer than filter.max_line and was skipped; raise --max-line to "
                  "have it");
}

static void post(struct fetch *f, weir_outcome result)
{
    struct weir_engine *e = f->worker->engine;
    struct outcome *o = f->outcome;
    o->job = f->job;
    o->result = result;
    o->bytes = f->offset;
    o->ended = clock_now();
    note_counts(f);
    o->final_url = f->url;
    f->url = NULL;
    if (!o->final_url && f->job->mirror)
        o->final_url = strdup(job_url_at(f->job, f->job->mirror));
    if (result == WEIR_DONE && !o->digest)
        o->digest = check_text(&f->check);
    f->outcome = NULL;
    f->job = NULL;
    fetch_free(f);
    queue_settled(e->queue, o->job);
    run_post(e, o);
}

static void post_failure(struct fetch *f, status outcome)
{
    f->verdict.status = outcome;
    /* What is there stays for another run, unless the body itself was refused. */
    fetch_let_go_sinks(f, outcome != WEIR_CHECKSUM && !(outcome == WEIR_POLICY && f->good));
    outcome_set_error(f->outcome, &f->verdict);
    post(f, WEIR_FAILED);
}

static void complete(struct fetch *f)
{
    error err;
    status st = f->chain ? chain_finish(f->chain, &err) : OK;
    if (f->chain && chain_file(f->chain)->wish == WEIR_STOP_RUN)
        run_stop(f->worker->engine, WEIR_CANCELLED, &err);
    if (!st && f->sink)
        st = f->sink->type->seal(f->sink, f->mtime, &err);
    if (!st && f->body)
        st = f->body->type->seal(f->body, f->mtime, &err);
    atomic_store_explicit(&f->worker->engine->starved_since, 0, memory_order_relaxed);
    if (f->job->mirrors)
        mirror_board_served(f->worker->engine->mirrors, f->job->host->authority, f->attempt_bytes,
                            clock_now() - f->attempt_started);
    free_slot_as(f, HOST_ANSWERED);
    if (st) {
        f->verdict = err;
        post_failure(f, st);
        return;
    }
    if (f->worker->engine->journal && !f->shaped) {
        f->outcome->held = f->held;
        provenance_init(&f->held);
    }
    f->outcome->sink = f->body ? f->body : f->sink;
    f->outcome->tee = f->body ? f->sink : NULL;
    f->sink = f->body = NULL;
    post(f, WEIR_DONE);
}

/* Waiting fetches are kept as long as there are few of them, or when there is no other way to go on
 * at the same byte. */
static bool keep_waiting(struct fetch *f)
{
    struct weir_engine *e = f->worker->engine;
    if (f->url || f->no_range || f->no_split || f->segments || f->refused || fetch_must_replay(f) ||
        sending_is_kept(f))
        return true;
    if (f->offset == 0 && !f->begun)
        return false;
    uint32_t kept = atomic_load_explicit(&e->counters.kept_waiting, memory_order_relaxed);
    return kept < 2 * (uint32_t)e->options->run_concurrency;
}

/* Gives the job back to the queue, the fetch with it or not. The slot has been freed. */
static void put_back(struct fetch *f, const char *authority, uint64_t at)
{
    struct weir_engine *e = f->worker->engine;
    struct job *job = f->job;
    if (keep_waiting(f)) {
        job->fetch = f;
        job->worker = (int32_t)f->worker->index;
        atomic_fetch_add_explicit(&e->counters.kept_waiting, 1, memory_order_relaxed);
    } else {
        if (f->begun && f->callbacks->on_reset)
            f->callbacks->on_reset((weir_file *)(void *)f, f->user);
        fetch_let_go_sinks(f, true);
        f->job = NULL;
        fetch_free(f);
    }
    queue_put_later(e->queue, job, authority, at);
}

/* No byte of a body that was refused as a whole is gone on with. The offset stays: so the next
 * answer is seen to start again. */
static void discard_body(struct fetch *f)
{
    struct sink *sinks[] = {f->sink, f->body};
    error ignored;
    provenance_free(&f->held);
    for (size_t i = 0; i < 2; i++)
        if (sinks[i] && sinks[i]->type->reset)
            sinks[i]->type->reset(sinks[i], &ignored);
}

/* `failed` is the URL that was asked. */
static void try_again(struct fetch *f, const char *failed, uint64_t at, uint64_t now)
{
    struct weir_engine *e = f->worker->engine;
    struct strbuf lane = {0};
    atomic_fetch_add_explicit(&e->counters.retried, 1, memory_order_relaxed);
    commit_event(e->commit, WEIR_EVENT_RETRY, failed, NULL,
                 at > now ? (int64_t)(at - now) / NS_PER_MS : 0, (int)f->job->attempts,
                 &f->verdict);
    /* An attempt begins at the first URL: where it led may have changed. */
    if (f->url || f->job->mirrors)
        fetch_lane(f, &lane);
    free(f->url);
    f->url = NULL;
    f->from_public = false;
    f->job->hops = 0;
    put_back(f, lane.n ? strbuf_text(&lane) : NULL, at);
    strbuf_free(&lane);
}

void fetch_rechecked(struct fetch *f, status st, const error *err)
{
    struct weir_engine *e = f->worker->engine;
    f->recheck.done = true;
    f->offset = f->recheck.size;
    if (!st) {
        f->outcome->digest = check_text(&f->recheck.check);
        f->job->unchecked = !f->recheck.check.wants && f->job->size < 0;
    }
    recheck_close(&f->recheck);
    if (st == WEIR_CHECKSUM && e->verify == WEIR_VERIFY_REPAIR) {
        f->offset = 0;
        f->job->overwrite = true;
        fetch_go(f);
        return;
    }
    free_slot_as(f, HOST_SILENT);
    if (st) {
        f->verdict = *err;
        post_failure(f, st);
    } else {
        post(f, f->job->unchecked ? WEIR_SKIPPED : WEIR_DONE);
    }
}

void fetch_change_lane(struct fetch *f)
{
    struct strbuf lane = {0};
    fetch_lane(f, &lane);
    free_slot_as(f, HOST_SILENT);
    put_back(f, strbuf_text(&lane), 0);
    strbuf_free(&lane);
}

static void note_mirror(struct fetch *f, const struct retry_decision *d)
{
    struct mirror_board *board = f->worker->engine->mirrors;
    if (!f->job->mirrors)
        return;
    if (d->host.verdict == HOST_UNREACHABLE || d->host.verdict == HOST_REFUSED ||
        f->http_status >= 500 || f->job->host_is_down)
        mirror_board_failed(board, f->job->host->authority);
}

static void judge_failure(struct fetch *f, const struct transfer_result *result)
{
    struct weir_engine *e = f->worker->engine;
    uint64_t now = clock_now();
    bool gone = fetch_must_replay(f); /* what was refused cannot be taken back */
    f->job->refused += f->refused;
    struct retry_facts facts = {.outcome = f->verdict.status,
                                .http_status = f->http_status,
                                .answered = result->answered,
                                .retry_after_ns = f->retry_after_ns,
                                .attempts = f->job->attempts,
                                .progressed = f->attempt_bytes > 0,
                                .not_heard = sending_not_heard(f),
                                .refused = f->refused && !gone,
                                .refusals = f->job->refused,
                                .others = f->refused && gone ? 0 : fetch_other_mirrors(f),
                                .urls = (uint32_t)job_url_count(f->job),
                                .host_is_down = f->job->host_is_down};
    struct retry_decision d = retry_decide(&facts, f->job->host->options, now, &f->worker->rng);
    note_mirror(f, &d);
    if (f->refused || (result->unframed && f->good))
        discard_body(f);
    if (f->sending && d.action != RETRY_GIVE_UP && !sending_repeats(f, &d.at))
        d.action = RETRY_GIVE_UP;
    const char *failed = job_url_at(f->job, f->job->mirror);
    if (d.action == RETRY_ELSEWHERE && !fetch_move_on(f, d.dead))
        d.action = RETRY_GIVE_UP;
    free_slot(f, &d.host);
    if (d.action != RETRY_GIVE_UP && !run_stopping(e))
        try_again(f, failed, d.at, now);
    else
        post_failure(f, d.outcome);
}

static bool starved_too_long(struct weir_engine *e)
{
    uint64_t now = clock_now(), since = 0;
    if (atomic_compare_exchange_strong(&e->starved_since, &since, now))
        return false;
    return now > since + (uint64_t)DESCRIPTOR_PATIENCE;
}

/* No descriptor was left for a socket or a file. Others in flight, or a group on its way to the
 * disk, will give theirs back; only where there are none is it an error. */
static void wait_for_descriptors(struct fetch *f)
{
    struct weir_engine *e = f->worker->engine;
    struct queue_counts counts;
    queue_counts(e->queue, &counts);
    free_slot_as(f, HOST_SILENT);
    commit_hurry(e->commit);
    if (counts.in_flight <= 1 && starved_too_long(e)) {
        struct strbuf text = {0};
        strbuf_adds(&text, f->verdict.message);
        fail(&f->verdict, WEIR_DISK, "%s; raise \"ulimit -n\" or lower --concurrency",
             strbuf_text(&text));
        strbuf_free(&text);
        post_failure(f, WEIR_DISK);
        return;
    }
    if (f->job->attempts)
        f->job->attempts--;
    put_back(f, NULL, clock_now() + DESCRIPTOR_WAIT);
}

static status next_hop(struct fetch *f, const struct transfer_result *result,
                       struct strbuf *authority)
{
    const char *here = f->url ? f->url : job_url_at(f->job, f->job->mirror);
    struct url from, to;
    url_init(&from);
    url_init(&to);
    status st = url_parse(&from, span_of(here), &f->verdict);
    if (!st)
        st = url_resolve(&to, here, span_of(f->location), &f->verdict);
    if (st)
        f->verdict.status = st = WEIR_REDIRECT;
    if (!st)
        st = redirect_check(&from, &to, f->job->hops + 1, f->job->host->options, &f->verdict);
    if (!st) {
        free(f->url);
        f->url = strndup(to.text.p, to.text.n);
        strbuf_add(authority, to.authority.p, to.authority.n);
        if (!f->url || authority->failed)
            st = fail(&f->verdict, WEIR_NOMEM, "out of memory");
        f->from_public = f->from_public || address_is_public(result->address);
    }
    url_free(&from);
    url_free(&to);
    return st;
}

/* A hop is a new request in its target's lane. */
static void hop(struct fetch *f, const struct transfer_result *result)
{
    struct strbuf authority = {0};
    status st = next_hop(f, result, &authority);
    f->verdict.http_status = f->http_status;
    free_slot_as(f, HOST_ANSWERED);
    if (st) {
        post_failure(f, st);
    } else {
        f->job->hops++;
        put_back(f, strbuf_text(&authority), 0);
    }
    strbuf_free(&authority);
}

/* Nothing objected on the way; is all of it here? */
static status check_whole(struct fetch *f)
{
    if (f->replaying && f->replay_at >= f->until)
        return fail(&f->verdict, WEIR_CHECKSUM,
                    "the body changed between two tries: it has %lld bytes now, and %lld have been "
                    "given out already; run it again from the start",
                    (long long)f->replay_at, (long long)f->offset);
    if (f->replaying)
        return fail(&f->verdict, WEIR_TRUNCATED,
                    "the body ended at byte %lld, before the %lld that had been given out",
                    (long long)f->replay_at, (long long)f->offset);
    int64_t size = f->held.size >= 0 ? f->held.size : f->until;
    if (size >= 0 && f->offset != size)
        return fail(&f->verdict, WEIR_TRUNCATED, "the body ended at byte %lld of %lld",
                    (long long)f->offset, (long long)size);
    status st = OK;
    if (f->job->size >= 0 && f->offset != f->job->size)
        st = fail(&f->verdict, WEIR_CHECKSUM, "the body has %lld bytes, the list says %lld",
                  (long long)f->offset, (long long)f->job->size);
    if (!st)
        st = check_whole_body(&f->check, &f->verdict);
    f->refused = st != OK;
    return st;
}

/* The kept part was of no use: asked again at once, in full, at no cost of attempts. */
static void restart(struct fetch *f)
{
    free_slot_as(f, HOST_ANSWERED);
    f->job->attempts--;
    struct strbuf lane = {0};
    if (f->url)
        fetch_lane(f, &lane);
    free(f->url);
    f->url = NULL;
    f->job->hops = 0;
    put_back(f, lane.n ? strbuf_text(&lane) : NULL, 0);
    strbuf_free(&lane);
}

/* The server's name for it led to a file that is there already, or what is there is still right. */
static void post_skipped(struct fetch *f)
{
    free_slot_as(f, HOST_ANSWERED);
    fetch_let_go_sinks(f, true);
    post(f, WEIR_SKIPPED);
}

void fetch_ended(struct fetch *f, const struct transfer_result *result)
{
    struct weir_engine *e = f->worker->engine;
    fetch_detach(f);
    if (f->sending)
        sending_ended(f, result);
    bool ours = f->verdict.status != OK || f->enough;
    if (!ours && result->error.status && !f->location)
        f->verdict = result->error;
    if (f->good && f->enough && !f->verdict.status) {
        complete(f);
        return;
    }
    if (run_stopping(e) && f->verdict.status != WEIR_DISK &&
        !(f->good && !f->verdict.status && check_whole(f) == OK)) {
        fetch_cut(f);
        return;
    }
    if (f->verdict.status == WEIR_AGAIN) {
        wait_for_descriptors(f);
        return;
    }
    if (f->skip) {
        post_skipped(f);
        return;
    }
    if (f->restart) {
        restart(f);
        return;
    }
    if (!f->verdict.status && f->location) {
        hop(f, result);
        return;
    }
    if (!f->verdict.status && f->good && check_whole(f) == OK) {
        complete(f);
        return;
    }
    judge_failure(f, result);
}
