/* What must hold at each step; see sim.h. The books here are kept from what goes in and comes out
 * of the queue; of its inside, only what a lane holds and when its bucket is ready again is read.
 */
#include "sim.h"

/* ------------------------------------------------------------------ leaky buckets */

static void leak_add(struct sim *s, struct leak *l, double units)
{
    if (!(l->rate > 0))
        return;
    l->level -= (double)(s->now - l->at) / 1e9 * l->rate;
    if (l->level < 0)
        l->level = 0;
    l->at = s->now;
    l->level += units;
    RULE(s, l->level <= l->most);
}

/* Request starts: at most 20 ms' worth at once, and at least one; half of one for what is late. */
static void leak_starts(struct leak *l, double rate)
{
    double burst = 0.02 * rate;
    *l = (struct leak){.rate = rate, .most = (burst > 1 ? burst : 1) + 0.51, .at = SIM_START};
}

/* Bytes: 20 ms' worth, and each exchange that is under way may have one chunk of debt. */
static void leak_bytes(struct leak *l, double rate, double exchanges)
{
    *l = (struct leak){
        .rate = rate, .most = 0.02 * rate + exchanges * (double)SIM_CHUNK + 64, .at = SIM_START};
}

void rules_open(struct sim *s)
{
    leak_starts(&s->starts, s->env.rate);
    leak_bytes(&s->bytes, s->bytes.rate, s->env.concurrency);
    for (uint32_t i = 0; i < s->host_count; i++) {
        struct sim_host *h = &s->hosts[i];
        leak_starts(&h->starts, h->options.limits_host_rate);
        leak_bytes(&h->bytes, h->options.limits_host_bandwidth, (double)h->options.limits_per_host);
    }
}

void rules_bytes(struct sim *s, uint32_t host, int64_t bytes)
{
    leak_add(s, &s->bytes, (double)bytes);
    leak_add(s, &s->hosts[host].bytes, (double)bytes);
}

void rules_debt_left(struct sim *s, uint32_t host)
{
    s->bytes.most += (double)SIM_CHUNK;
    s->hosts[host].bytes.most += (double)SIM_CHUNK;
}

/* ------------------------------------------------------------------ hosts */

static const struct lanes *inside(const struct sim *s)
{
    return (const struct lanes *)(const void *)s->queue;
}

static bool rate_ready(const struct bucket *b, uint64_t now)
{
    return b->tat <= now;
}

/* By our own books, but for its rate: may a request to this host start now? */
static bool is_free(const struct sim *s, const struct sim_host *h)
{
    return h->held_until <= s->now && !(h->probing && h->probe_out) && h->down_until == 0 &&
           (int64_t)h->in_flight < h->options.limits_per_host;
}

static bool admits(const struct sim *s, const struct lane *lane)
{
    return is_free(s, &s->hosts[sim_host_index(lane->host->authority)]) &&
           rate_ready(&lane->host->requests, s->now);
}

/* One that could not be taken from for a while, however short, comes back behind the others. */
static void lose_turn(const struct sim *s, struct sim_host *h)
{
    if (!is_free(s, h))
        h->passed = 0;
}

static void count_start(struct sim *s, uint32_t host, uint32_t worker)
{
    struct sim_host *h = &s->hosts[host];
    s->in_flight++;
    s->slots[worker]++;
    h->in_flight++;
    RULE(s, s->in_flight <= s->env.concurrency);
}

static void request_starts(struct sim *s, struct sim_host *h)
{
    RULE(s, (int64_t)h->in_flight <= h->options.limits_per_host);
    RULE(s, s->now >= h->held_until);
    leak_add(s, &s->starts, 1);
    leak_add(s, &h->starts, 1);
}

/* One request a minute. */
static void starts_at_down_host(struct sim *s, struct sim_host *h)
{
    RULE(s, s->now >= h->down_until);
    if (h->down_until)
        h->down_until = s->now + (uint64_t)HOST_DOWN_PROBE;
}

/* The turn goes round: one that could be taken from is not passed by more often than there are
 * others. */
static void count_turn(struct sim *s, uint32_t taken)
{
    const struct lanes *q = inside(s);
    for (const struct lane *lane = q->all; lane; lane = lane->all_next) {
        uint32_t i = sim_host_index(lane->host->authority);
        struct sim_host *h = &s->hosts[i];
        bool could = (lane->tried.first || lane->fresh.first) && admits(s, lane);
        h->passed = could && i != taken ? h->passed + 1 : 0;
        if (s->trace && h->passed)
            TRACE(s, "  %s is passed by, %u of %u", h->authority, h->passed, s->host_count);
        RULE(s, h->passed <= s->host_count);
    }
}

static void taken_while_down(struct sim *s, const struct job *job, const struct sim_host *h)
{
    RULE(s, h->failures >= HOST_DOWN_FAILURES || h->away);
    RULE(s, job->down_failures == h->failures);
    RULE(s, !job->probe);
    RULE(s, h->down_until > s->now);
}

void rules_taken(struct sim *s, const struct job *job, uint32_t worker)
{
    struct sim_job *j = sim_job_of(s, job);
    uint32_t host = sim_host_index(job->host->authority);
    struct sim_host *h = &s->hosts[host];
    bool pinned = job->worker >= 0;
    sim_reached(s, SIM_takes);
    RULE(s, j->state == JOB_QUEUED);
    j->state = JOB_RUNNING;
    RULE(s, !pinned || (uint32_t)job->worker == worker);
    RULE(s, job->due <= s->now);
    count_start(s, host, worker);
    RULE(s, s->slots[worker] <= (s->env.concurrency - 1) / s->env.workers + 1);
    if (job->host_is_down) {
        taken_while_down(s, job, h);
        return;
    }
    h->passed = 0;
    if (!pinned)
        count_turn(s, host);
    request_starts(s, h);
    starts_at_down_host(s, h);
    RULE(s, job->probe == h->probing);
    RULE(s, !h->probe_out);
    h->probe_out = h->probing;
    if (!j->sent && j->mirrors == 1) {
        RULE(s, (int64_t)job->index > h->last_fresh); /* in the order of the list */
        h->last_fresh = (int64_t)job->index;
    }
}

void rules_more(struct sim *s, uint32_t host, uint32_t worker)
{
    struct sim_host *h = &s->hosts[host];
    count_start(s, host, worker);
    request_starts(s, h);
    RULE(s, !h->probing);
    starts_at_down_host(s, h);
    lose_turn(s, h);
}

static void is_well(struct sim *s, struct sim_host *h, bool probe)
{
    if (h->probing && !probe)
        return;
    h->probe_out = false;
    h->probing = h->held_until > s->now;
    h->failures = 0;
    h->down_until = 0;
    h->away = false;
}

void rules_answered(struct sim *s, uint32_t host, bool probe)
{
    RULE(s, probe == s->hosts[host].probe_out);
    is_well(s, &s->hosts[host], probe);
}

static void has_failed(struct sim *s, struct sim_host *h)
{
    if (!h->failures++)
        h->first_failure = s->now;
    if (h->failures < HOST_DOWN_FAILURES || s->now < h->first_failure + (uint64_t)HOST_DOWN_AFTER)
        return;
    h->down_until = s->now + (uint64_t)HOST_DOWN_PROBE;
    if (h->down_until < h->held_until)
        h->down_until = h->held_until;
}

static void has_refused(struct sim *s, struct sim_host *h, const struct host_report *r, bool probe)
{
    if (r->hold_until > s->now) {
        sim_reached(s, SIM_holds);
        h->probing = true;
        if (h->held_until < r->hold_until)
            h->held_until = r->hold_until;
    }
    if (probe || r->too_long)
        has_failed(s, h);
    if (!r->too_long)
        return;
    sim_reached(s, SIM_too_long);
    if (h->down_until < h->held_until)
        h->down_until = h->held_until;
    h->away = true;
}

void rules_ended(struct sim *s, uint32_t host, uint32_t worker, const struct host_report *r,
                 bool probe, bool was_down)
{
    struct sim_host *h = &s->hosts[host];
    RULE(s, s->in_flight > 0 && s->slots[worker] > 0 && h->in_flight > 0);
    s->in_flight--;
    s->slots[worker]--;
    h->in_flight--;
    if (was_down)
        return;
    if (probe) {
        RULE(s, h->probe_out);
        h->probe_out = false;
        if (h->failures < HOST_DOWN_FAILURES ||
            s->now < h->first_failure + (uint64_t)HOST_DOWN_AFTER)
            h->down_until = 0;
    }
    if (r->verdict == HOST_ANSWERED)
        is_well(s, h, probe);
    else if (r->verdict == HOST_UNREACHABLE)
        has_failed(s, h);
    else if (r->verdict == HOST_REFUSED)
        has_refused(s, h, r, probe);
    lose_turn(s, h);
}

/* ------------------------------------------------------------------ decisions */

void rules_decision(struct sim *s, const struct retry_facts *f, const struct options *o,
                    const struct retry_decision *d)
{
    bool told = f->retry_after_ns >= 0;
    bool refusal = f->http_status == 429 || f->http_status == 503;
    RULE(s, d->action != RETRY_ELSEWHERE || f->others > 0);
    RULE(s, (d->host.verdict == HOST_REFUSED) == (refusal && f->outcome == WEIR_HTTP));
    RULE(s, d->host.verdict != HOST_UNREACHABLE || !f->answered);
    if (refusal && told && f->outcome == WEIR_HTTP)
        RULE(s, d->host.hold_until == s->now + (uint64_t)f->retry_after_ns);
    if (refusal && !told && f->http_status == 503)
        RULE(s, d->host.hold_until == 0);
    if (d->action == RETRY_GIVE_UP) {
        RULE(s, d->outcome != OK);
        return;
    }
    RULE(s, d->at >= s->now && d->at <= s->now + (uint64_t)o->retry_backoff_max +
                                            (uint64_t)o->retry_retry_after_max);
    RULE(s, f->refused || f->attempts <= o->retry_retries + f->others);
    if (d->action == RETRY_AT && told && !f->refused)
        RULE(s, d->at >= s->now + (uint64_t)f->retry_after_ns);
}

/* ------------------------------------------------------------------ all of it */

void rules_step(struct sim *s)
{
    struct queue_counts c;
    queue_counts(s->queue, &c);
    if (c.overflowed)
        sim_reached(s, SIM_overflowed);
    RULE(s, c.inside <= s->env.capacity);
    RULE(s, c.in_flight == s->in_flight);
    RULE(s, c.waiting <= c.queued);
    uint32_t running = 0, seen = 0;
    for (uint32_t i = 0; i < s->exchange_count; i++) { /* jobs, not exchanges, have places */
        seen = 0;
        for (uint32_t k = 0; k < i; k++)
            seen |= s->exchanges[k]->job == s->exchanges[i]->job;
        running += !seen;
    }
    RULE(s, c.queued + running + s->sealed_count == c.inside);
    RULE(s, c.inside + c.overflowed + s->ended == s->next_job + s->places);
}

/* Workers that sleep leave nothing behind that one of them may take. */
void rules_asleep(struct sim *s)
{
    const struct lanes *q = inside(s);
    uint32_t share = (s->env.concurrency - 1) / s->env.workers + 1;
    if (s->cancelled || s->in_flight >= s->env.concurrency || !rate_ready(&q->rate, s->now))
        return;
    bool any_free = false;
    for (uint32_t w = 0; w < s->env.workers; w++)
        any_free |= s->slots[w] < share;
    for (const struct lane *lane = q->all; lane; lane = lane->all_next) {
        if (!admits(s, lane))
            continue;
        RULE(s, !any_free || (!lane->tried.first && !lane->fresh.first));
        for (const struct strand *p = lane->strands; p; p = p->next_of_lane)
            RULE(s, !p->jobs.first || s->slots[p->worker] >= share);
        RULE(s, !any_free || lane->count || !lane->spilled || queue_room(q) == 0);
    }
}

void rules_end(struct sim *s)
{
    const struct lanes *q = inside(s);
    RULE(s, s->drained == (s->cancelled ? s->drained : 1));
    RULE(s, s->cancelled || s->next_job == s->job_count);
    RULE(s, s->ended == s->next_job);
    for (uint32_t i = 0; i < s->job_count; i++)
        RULE(s, s->jobs[i].state == (i < s->next_job ? JOB_ENDED : JOB_OUTSIDE));
    RULE(s, s->in_flight == 0 && s->exchange_count == 0 && s->places == 0);
    RULE(s, q->in_flight == 0 && q->inside == 0 && q->live == 0 && q->queued == 0);
    RULE(s, q->overflowed == 0 && q->pinned_ready == 0 && q->delayed == 0);
    for (uint32_t w = 0; w < s->env.workers; w++)
        RULE(s, s->slots[w] == 0 && q->seats[w].slots == 0);
    RULE(s, q->all == NULL); /* the last job of a host takes its lane along */
}
