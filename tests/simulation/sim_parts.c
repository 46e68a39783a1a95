/* A body in ranges, by one exchange or several; see sim.h. What engine/segments.c does, with its
 * plan and the queue's extra slots for real. */
#include "sim.h"

void parts_reset(struct sim_job *j)
{
    memset(j->parts, 0, sizeof j->parts);
    memset(j->got, 0, sizeof j->got);
    j->bad = false;
    if (j->size)
        j->parts[0] = (struct part){.used = true, .to = j->size};
}

int64_t parts_limit(const struct exchange *x)
{
    return x->until < x->part->to ? x->until : x->part->to;
}

static struct part *free_part(struct sim_job *j)
{
    for (size_t i = 0; i < SIM_PARTS; i++)
        if (!j->parts[i].used)
            return &j->parts[i];
    return NULL;
}

struct part *parts_gap(struct sim *s, struct sim_job *j)
{
    for (size_t i = 0; i < SIM_PARTS; i++) {
        struct part *p = &j->parts[i];
        if (p->used && !p->x && (p->not_before <= s->now || !j->active))
            return p;
    }
    return NULL;
}

static bool any_left(const struct sim_job *j)
{
    for (size_t i = 0; i < SIM_PARTS; i++)
        if (j->parts[i].used)
            return true;
    return false;
}

struct exchange *parts_ask(struct sim *s, struct job *job, uint32_t worker, struct part *p,
                           uint32_t mirror, struct host *extra)
{
    struct sim_job *j = sim_job_of(s, job);
    struct exchange *x = run_begin(s, job, worker);
    x->extra = extra;
    x->host = sim_host_index(extra ? extra->authority : job->host->authority);
    x->mirror = mirror;
    RULE(s, x->host == (j->hop < 0 || mirror != job->mirror ? j->hosts[mirror] : (uint32_t)j->hop));
    RULE(s, !(job->dead >> mirror & 1));
    RULE(s, !j->own_slot_used || extra);
    j->own_slot_used = true;
    j->active++;
    x->part = p;
    if (p) {
        p->x = x;
        p->from = p->at;
        p->asked = s->now;
        p->answered = 0;
    }
    world_answer(s, x);
    x->when = s->now + x->answer.latency;
    return x;
}

/* ------------------------------------------------------------------ more of them */

/* A slot for one more exchange: the job's own where it is free. False: none now. */
static bool take_slot(struct sim *s, struct job *job, uint32_t worker, uint32_t *mirror,
                      struct host **extra)
{
    struct sim_job *j = sim_job_of(s, job);
    *mirror = job->mirror;
    *extra = NULL;
    if (!j->own_slot_used)
        return true;
    uint32_t n = j->vouched && !job->refused ? j->mirrors : 1;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t m = (job->mirror + j->active + k) % j->mirrors;
        if (n == 1)
            m = job->mirror;
        if (job->dead >> m & 1)
            continue;
        uint32_t host = m == job->mirror && j->hop >= 0 ? (uint32_t)j->hop : j->hosts[m];
        struct mirror_view view;
        mirror_board_look(s->board, s->hosts[host].authority, &view);
        if (view.benched)
            continue;
        *extra = queue_more(s->queue, worker, s->hosts[host].authority, s->now);
        if (!*extra)
            continue;
        RULE(s, sim_host_index((*extra)->authority) == host);
        rules_more(s, host, worker);
        sim_reached(s, SIM_extras);
        *mirror = m;
        return true;
    }
    return false;
}

/* Half of what the slowest has left. */
static struct part *steal(struct sim *s, struct sim_job *j, bool do_it)
{
    struct segment_view views[SIM_PARTS];
    struct part *of[SIM_PARTS], *p = free_part(j);
    size_t n = 0;
    for (size_t i = 0; i < SIM_PARTS; i++) {
        struct part *q = &j->parts[i];
        double seconds = (double)(s->now - q->answered) / 1e9;
        if (!q->used || !q->x)
            continue;
        views[n].rest = q->to - q->at;
        views[n].speed = q->answered && seconds > 0 ? (double)(q->at - q->from) / seconds : 0;
        of[n++] = q;
    }
    int victim = n && p ? segment_victim(views, n, 0.05) : -1;
    if (victim < 0)
        return NULL;
    int64_t middle = segment_middle(of[victim]->at, of[victim]->to);
    RULE(s, middle > of[victim]->at && middle < of[victim]->to && middle % SIM_BLOCK == 0);
    if (!do_it)
        return p;
    *p = (struct part){.used = true, .at = middle, .to = of[victim]->to};
    of[victim]->to = middle;
    return p;
}

static void begin_more(struct sim *s, struct job *job, uint32_t worker)
{
    struct sim_job *j = sim_job_of(s, job);
    while (j->active < (j->no_split ? 1 : j->growth)) {
        struct part *gap = parts_gap(s, j);
        struct host *extra;
        uint32_t mirror;
        if ((!gap && !steal(s, j, false)) || !take_slot(s, job, worker, &mirror, &extra))
            return;
        parts_ask(s, job, worker, gap ? gap : steal(s, j, true), mirror, extra);
    }
}

/* The answer to a job's own request has come: what is to be got is cut into equal parts. */
void parts_split(struct sim *s, struct exchange *x)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    struct part *p = x->part;
    if (x->extra || !p || j->wanted == 1 || j->growth > 1 || j->no_split)
        return;
    j->growth = j->wanted;
    int64_t from = p->at, to = p->to;
    uint32_t parts = segment_parts(to - from, j->wanted), n = 1, mirrors[SIM_PARTS];
    struct host *extras[SIM_PARTS];
    while (n < parts && take_slot(s, job, x->worker, &mirrors[n], &extras[n]))
        n++;
    for (uint32_t i = 1; i < n; i++) {
        struct part *next = free_part(j);
        struct host_report silent = {.verdict = HOST_SILENT};
        if (!next) {
            rules_ended(s, sim_host_index(extras[i]->authority), x->worker, &silent, false, false);
            queue_less(s->queue, x->worker, extras[i], &silent, s->now);
            continue;
        }
        *next = (struct part){.used = true, .at = segment_part_at(from, to, i, n), .to = to};
        RULE(s, next->at > p->at && next->at < to && next->at % SIM_BLOCK == 0);
        p->to = next->at;
        p = next;
        parts_ask(s, job, x->worker, next, mirrors[i], extras[i]);
    }
    begin_more(s, job, x->worker);
}

/* ------------------------------------------------------------------ the end of one */

static void less(struct sim *s, uint32_t worker, struct host *extra, const struct host_report *r)
{
    rules_ended(s, sim_host_index(extra->authority), worker, r, false, false);
    queue_less(s->queue, worker, extra, r, s->now);
    s->asks[worker] = true;
}

/* An exchange with an extra slot of the job's host: its slot can be the job's own. */
static struct exchange *heir_of(struct sim *s, const struct exchange *x)
{
    for (uint32_t i = 0; i < s->exchange_count; i++) {
        struct exchange *o = s->exchanges[i];
        if (o != x && o->job == x->job && o->extra && o->extra == x->job->host)
            return o;
    }
    return NULL;
}

static void give_back(struct sim *s, struct exchange *x, const struct host_report *r)
{
    struct sim_job *j = sim_job_of(s, x->job);
    struct host *extra = x->extra;
    j->active--;
    if (!extra) {
        struct exchange *heir = heir_of(s, x);
        if (!heir) {
            j->own_slot_used = false;
            return;
        }
        extra = heir->extra;
        heir->extra = NULL;
        sim_reached(s, SIM_heirs);
    }
    less(s, x->worker, extra, r);
}

static void cut(struct sim *s, struct exchange *x)
{
    static const struct host_report silent = {.verdict = HOST_SILENT};
    if (x->paused)
        rules_debt_left(s, x->host);
    give_back(s, x, &silent);
    run_forget(s, x);
}

/* Whole, or what is next. */
static void go_on(struct sim *s, struct job *job, uint32_t worker)
{
    struct sim_job *j = sim_job_of(s, job);
    if (any_left(j)) {
        begin_more(s, job, worker);
        RULE(s, j->active > 0);
        return;
    }
    RULE(s, j->active == 0);
    struct exchange x = {.job = job, .worker = worker, .answer = {.retry_after_ns = -1}};
    x.answer.http_status = 200;
    job_whole(s, &x);
}

void parts_ended(struct sim *s, struct exchange *x, bool answered)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    struct part *p = x->part;
    struct host_report r = {.verdict = HOST_ANSWERED};
    struct exchange kept = *x;
    bool done = x->phase == X_BODY && p->at == p->to;
    if (done) {
        p->used = false;
    } else if (j->active == 1 && !x->extra) { /* ends as the exchange of one body would */
        j->active = 0;
        run_forget(s, x);
        job_judge(s, &kept, answered);
        return;
    } else {
        struct retry_facts facts = {.outcome = x->answer.outcome,
                                    .http_status = answered ? x->answer.http_status : 0,
                                    .answered = answered,
                                    .retry_after_ns = x->answer.retry_after_ns,
                                    .attempts = 1,
                                    .progressed = p->at > p->from,
                                    .urls = 1};
        const struct options *o = x->extra ? x->extra->options : job->host->options;
        struct retry_decision d = retry_decide(&facts, o, s->now, &s->jitter);
        rules_decision(s, &facts, o, &d);
        r = d.host;
        p->not_before = d.at;
        if (p->at == p->from)
            j->growth = j->active > 1 ? j->active - 1 : 1;
    }
    give_back(s, x, &r);
    run_forget(s, x);
    go_on(s, job, kept.worker);
}

/* ------------------------------------------------------------------ bytes */

/* Somebody waits for a slot: the one that has the most to do gives its own. Then perhaps more can
 * be had. */
static void look(struct sim *s, struct job *job, uint32_t worker)
{
    struct part *most = NULL;
    struct sim_job *j = sim_job_of(s, job);
    for (size_t i = 0; i < SIM_PARTS; i++) {
        struct part *p = &j->parts[i];
        if (p->used && p->x && p->x->extra && (!most || p->to - p->at > most->to - most->at) &&
            queue_pressed(s->queue, p->x->extra))
            most = p;
    }
    if (most && j->active > 1) {
        sim_reached(s, SIM_pressed);
        cut(s, most->x);
    }
    begin_more(s, job, worker);
}

static uint64_t charge(struct sim *s, struct exchange *x, int64_t bytes)
{
    struct host *host = x->extra ? x->extra : x->job->host;
    uint64_t run = pacer_charge(&s->pacer, (uint64_t)bytes, s->now);
    uint64_t own = pacer_charge(&host->pacer, (uint64_t)bytes, s->now);
    rules_bytes(s, x->host, bytes);
    return run > own ? run : own;
}

void parts_chunk(struct sim *s, struct exchange *x)
{
    struct job *job = x->job;
    struct sim_job *j = sim_job_of(s, job);
    struct part *p = x->part;
    uint32_t worker = x->worker;
    int64_t n = parts_limit(x) - p->at;
    n = n < SIM_CHUNK ? n : SIM_CHUNK;
    for (int64_t at = p->at; at < p->at + n; at += SIM_BLOCK)
        RULE(s, j->got[at / SIM_BLOCK]++ == 0);
    p->at += n;
    j->attempt_bytes += n;
    j->bad |= x->answer.bad;
    uint64_t paid = charge(s, x, n);
    x->when = s->now + (uint64_t)(n / 1024) * s->hosts[x->host].speed;
    x->paused = paid > x->when;
    if (x->paused) {
        x->when = paid;
        sim_reached(s, SIM_pauses);
    }
    if (j->growth > 1 && sim_chance(s, 30))
        look(s, job, worker);
}

void parts_cut(struct sim *s, struct job *job)
{
    for (uint32_t i = 0; i < s->exchange_count;) {
        struct exchange *x = s->exchanges[i];
        if (x->job != job) {
            i++;
            continue;
        }
        static const struct host_report silent = {.verdict = HOST_SILENT};
        if (x->extra)
            less(s, x->worker, x->extra, &silent);
        run_forget(s, x);
    }
    sim_job_of(s, job)->active = 0;
}
