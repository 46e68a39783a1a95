/* What a worker does with a job; see sim.h. The decisions are those of engine/retry, engine/mirror
 * and the queue; what is between them is as in engine/fetch.c and engine/ending.c. */
#include "sim.h"

static void give_slot(struct sim *s, struct job *job, uint32_t worker, const struct host_report *r)
{
    uint32_t host = sim_host_index(job->host->authority);
    rules_ended(s, host, worker, r, job->probe, job->host_is_down);
    queue_slot_free(s->queue, job, r, s->now);
    s->asks[worker] = true;
}

static void give_slot_as(struct sim *s, struct job *job, uint32_t worker, enum host_verdict verdict)
{
    struct host_report r = {.verdict = verdict};
    give_slot(s, job, worker, &r);
}

static uint32_t lane_of_job(struct sim *s, const struct job *job)
{
    return sim_job_of(s, job)->hosts[job->mirror];
}

/* Gives the job back to the queue, to this worker alone where something of it is kept. */
static void put_back(struct sim *s, struct job *job, uint32_t worker, uint32_t host, uint64_t due)
{
    struct sim_job *j = sim_job_of(s, job);
    int64_t missing = 0;
    for (size_t i = 0; i < SIM_PARTS; i++)
        if (j->parts[i].used)
            missing += j->parts[i].to - j->parts[i].at;
    bool kept = j->hop >= 0 || j->no_split || (missing < j->size && sim_chance(s, 70));
    job->worker = kept ? (int32_t)worker : -1;
    j->owner = worker;
    RULE(s, j->state == JOB_RUNNING);
    j->state = JOB_QUEUED;
    if (kept)
        sim_reached(s, SIM_pinned);
    TRACE(s, "job %llu comes back to %s at %.6f%s", (unsigned long long)job->index,
          s->hosts[host].authority, due > SIM_START ? (double)(due - SIM_START) / 1e9 : 0.0,
          kept ? ", same worker" : "");
    queue_put_later(s->queue, job, s->hosts[host].authority, due);
}

/* ------------------------------------------------------------------ mirrors */

static size_t view_mirrors(struct sim *s, const struct job *job, struct mirror_view *views)
{
    const struct sim_job *j = sim_job_of(s, job);
    for (uint32_t m = 0; m < j->mirrors; m++) {
        views[m] = (struct mirror_view){.dead = job->dead >> m & 1};
        mirror_board_look(s->board, s->hosts[j->hosts[m]].authority, &views[m]);
    }
    return j->mirrors;
}

static uint32_t other_mirrors(const struct sim_job *j, const struct job *job)
{
    uint32_t others = 0;
    for (uint32_t m = 0; m < j->mirrors; m++)
        others += m != job->mirror && !(job->dead >> m & 1);
    return j->mirrors > 1 ? others : 0;
}

static bool move_on(struct sim *s, struct job *job, bool dead)
{
    struct mirror_view views[SIM_MIRRORS];
    if (dead)
        job->dead |= (uint64_t)1 << job->mirror;
    size_t n = view_mirrors(s, job, views);
    int next = mirror_choose(views, n, (int)job->mirror);
    if (next < 0)
        return false;
    RULE(s, !views[next].dead);
    for (size_t m = 0; m < n; m++) /* one in disgrace is asked only when all are */
        RULE(s, !views[next].benched || views[m].dead || views[m].benched || m == job->mirror);
    job->mirror = (uint32_t)next;
    sim_reached(s, SIM_moves);
    return true;
}

static bool prefers_other(struct sim *s, struct job *job)
{
    struct mirror_view views[SIM_MIRRORS];
    if (!job->mirrors || job->attempts || job->mirror)
        return false;
    int best = mirror_choose(views, view_mirrors(s, job, views), -1);
    if (best <= 0)
        return false;
    job->mirror = (uint32_t)best;
    return true;
}

/* ------------------------------------------------------------------ the beginning */

static void request(struct sim *s, struct job *job, uint32_t worker)
{
    struct sim_job *j = sim_job_of(s, job);
    if (j->hop < 0) {
        job->attempts++;
        j->sent++;
    }
    j->attempt_bytes = 0;
    j->growth = 1;
    j->active = 0;
    j->own_slot_used = false;
    parts_ask(s, job, worker, parts_gap(s, j), job->mirror, NULL)->first = true;
}

static void fail_for_host(struct sim *s, struct job *job, uint32_t worker)
{
    struct exchange x = {.job = job, .worker = worker, .answer = {.retry_after_ns = -1}};
    bool lasting = job->down_failures >= HOST_DOWN_FAILURES;
    x.answer.outcome = !lasting          ? WEIR_RATE_LIMITED
                       : job->down_class ? job->down_class
                                         : WEIR_CONNECT;
    sim_job_of(s, job)->attempt_bytes = 0;
    sim_reached(s, SIM_downs);
    job_judge(s, &x, false);
}

void job_taken(struct sim *s, struct job *job, uint32_t worker)
{
    TRACE(s, "worker %u takes job %llu of %s%s%s", worker, (unsigned long long)job->index,
          job->host->authority, job->probe ? ", a probe" : "", job->host_is_down ? ", down" : "");
    job->worker = -1;
    if (job->host_is_down) {
        fail_for_host(s, job, worker);
    } else if (prefers_other(s, job)) {
        give_slot_as(s, job, worker, HOST_SILENT);
        put_back(s, job, worker, lane_of_job(s, job), 0);
    } else {
        request(s, job, worker);
    }
}

/* ------------------------------------------------------------------ the end */

/* Every byte of the body is there. */
void job_whole(struct sim *s, struct exchange *x)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    for (int64_t at = 0; at < j->size; at += SIM_BLOCK)
        RULE(s, j->got[at / SIM_BLOCK] == 1);
    if (j->bad) {
        x->answer.outcome = OK; /* all that was asked for came, only wrong */
        job_judge(s, x, true);
        return;
    }
    if (j->mirrors > 1)
        mirror_board_served(s->board, job->host->authority, j->attempt_bytes, 50 * SIM_MS);
    give_slot_as(s, job, x->worker, HOST_ANSWERED);
    TRACE(s, "job %llu is done", (unsigned long long)job->index);
    run_seal(s, job);
}

/* Why a job may be given up: nothing else may end it. */
static void check_given_up(struct sim *s, const struct job *job, const struct retry_facts *f,
                           const struct options *o)
{
    bool final = weir_status_grade(f->outcome) != WEIR_GRADE_RETRY &&
                 !(f->outcome == WEIR_HTTP && f->http_status != 404 && f->http_status != 410 &&
                   status_set_has(&o->retry_statuses, f->http_status)) &&
                 f->outcome != WEIR_RATE_LIMITED;
    bool too_long = f->retry_after_ns > o->retry_retry_after_max;
    RULE(s, f->others == 0 || f->attempts > o->retry_retries + f->others || f->refused);
    RULE(s, job->host_is_down || final || too_long || f->refused ||
                sim_job_of(s, job)->sent > o->retry_retries);
}

void job_judge(struct sim *s, struct exchange *x, bool answered)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    const struct options *o = job->host->options;
    uint32_t worker = x->worker;
    bool refused = j->bad && answered && x->answer.outcome == OK;
    job->refused += refused;
    struct retry_facts facts = {.outcome = refused ? WEIR_CHECKSUM : x->answer.outcome,
                                .http_status = answered ? x->answer.http_status : 0,
                                .answered = answered,
                                .retry_after_ns = x->answer.retry_after_ns,
                                .attempts = job->attempts,
                                .progressed = j->attempt_bytes > 0,
                                .refused = refused,
                                .refusals = job->refused,
                                .others = other_mirrors(j, job),
                                .urls = j->mirrors,
                                .host_is_down = job->host_is_down};
    struct retry_decision d = retry_decide(&facts, o, s->now, &s->jitter);
    rules_decision(s, &facts, o, &d);
    if (j->mirrors > 1 && (d.host.verdict == HOST_UNREACHABLE || d.host.verdict == HOST_REFUSED ||
                           facts.http_status >= 500 || job->host_is_down))
        mirror_board_failed(s->board, job->host->authority);
    if (refused) {
        sim_reached(s, SIM_refused_bodies);
        parts_reset(j);
    }
    if (d.action == RETRY_ELSEWHERE && !move_on(s, job, d.dead))
        d.action = RETRY_GIVE_UP;
    if (d.action == RETRY_GIVE_UP)
        check_given_up(s, job, &facts, o);
    TRACE(s, "job %llu: %s %d, try %u: %s", (unsigned long long)job->index,
          weir_status_name(facts.outcome), facts.http_status, job->attempts,
          d.action == RETRY_GIVE_UP ? "given up"
          : d.action == RETRY_AT    ? "again"
                                    : "elsewhere");
    give_slot(s, job, worker, &d.host);
    RULE(s, job->attempts == j->sent); /* to wait costs none */
    if (d.action == RETRY_GIVE_UP) {
        run_seal(s, job);
        return;
    }
    sim_reached(s, SIM_retries);
    j->hop = -1;
    job->hops = 0;
    put_back(s, job, worker, lane_of_job(s, job), d.at);
}

static void hop(struct sim *s, struct exchange *x)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    uint32_t worker = x->worker, to = x->answer.to;
    give_slot_as(s, job, worker, HOST_ANSWERED);
    if (job->hops + 1 > SIM_MAX_HOPS) {
        run_seal(s, job);
        return;
    }
    sim_reached(s, SIM_hops);
    job->hops++;
    j->hop = (int32_t)to;
    put_back(s, job, worker, to, 0);
}

/* ------------------------------------------------------------------ an exchange goes on */

static void body_begins(struct sim *s, struct exchange *x)
{
    struct job *job = x->job;
    if (!x->extra && job->probe) {
        rules_answered(s, x->host, job->probe);
        sim_reached(s, SIM_probes);
    }
    if (!x->extra)
        queue_answered(s->queue, job, s->now);
    x->phase = X_BODY;
    x->until = x->part ? x->part->to : 0;
    if (x->answer.lasts >= 0 && x->part && x->part->at + x->answer.lasts < x->until)
        x->until = x->part->at + x->answer.lasts;
    if (x->part)
        x->part->answered = s->now;
    x->when = s->now;
    parts_split(s, x);
}

static void ends(struct sim *s, struct exchange *x, bool answered)
{
    struct sim_job *j = sim_job_of(s, x->job);
    if (x->part) {
        parts_ended(s, x, answered);
        return;
    }
    struct exchange kept = *x; /* of an empty body */
    run_forget(s, x);
    j->active = 0;
    if (answered && kept.answer.kind == SAYS_OK)
        job_whole(s, &kept);
    else
        job_judge(s, &kept, answered);
}

void exchange_goes_on(struct sim *s, struct exchange *x)
{
    x->paused = false;
    if (x->phase == X_HEAD && x->answer.kind == SAYS_OK) {
        body_begins(s, x);
    } else if (x->phase == X_HEAD && x->answer.kind == SAYS_HOP && x->first) {
        struct exchange kept = *x;
        run_forget(s, x);
        sim_job_of(s, kept.job)->active = 0;
        hop(s, &kept);
    } else if (x->phase == X_HEAD) {
        ends(s, x, x->answer.kind != SAYS_NOTHING);
    } else if (x->phase == X_BODY && x->part && x->part->at < parts_limit(x)) {
        parts_chunk(s, x);
    } else {
        ends(s, x, true);
    }
}

void job_cut(struct sim *s, struct job *job, uint32_t worker)
{
    parts_cut(s, job);
    give_slot_as(s, job, worker, HOST_SILENT);
    run_seal(s, job);
}
