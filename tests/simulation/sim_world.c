/* What a seed stands for; see sim.h. */
#include "sim.h"

static uint64_t pick(struct sim *s, const uint64_t *from, size_t n)
{
    return from[sim_below(s, n)];
}

#define PICK(s, ...)                                                                               \
    pick(s, (const uint64_t[]){__VA_ARGS__},                                                       \
         sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void set_retryable(struct status_set *set)
{
    static const int codes[] = {408, 425, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        set->bits[codes[i] / 64] |= (uint64_t)1 << (codes[i] % 64);
}

static void open_host(struct sim *s, uint32_t i, uint32_t mood)
{
    struct sim_host *h = &s->hosts[i];
    struct options *o = &h->options;
    snprintf(h->authority, sizeof h->authority, "h%u:80", i);
    h->last_fresh = -1;
    o->limits_per_host = (int64_t)PICK(s, 1, 2, 3, 8, 8);
    o->limits_host_rate = (double)PICK(s, 0, 0, 1, 7, 49, 51, 300, 1000);
    o->limits_host_bandwidth = (double)PICK(s, 0, 0, 0, 300000, 5000000);
    o->retry_retries = (int64_t)PICK(s, 0, 1, 3, 5);
    o->retry_backoff = (int64_t)PICK(s, 0, 200 * SIM_MS, SIM_S);
    o->retry_backoff_max = (int64_t)PICK(s, SIM_S, 10 * SIM_S, 60 * SIM_S);
    o->retry_retry_after_max = (int64_t)PICK(s, 2 * SIM_S, 60 * SIM_S, 3600 * SIM_S);
    set_retryable(&o->retry_statuses);
    h->speed = (uint32_t)PICK(s, 100, 1000, 20000);
    h->trouble = mood ? (uint32_t)PICK(s, 0, 5, 40, 90) : 0;
    if (mood < 2)
        return;
    if (sim_chance(s, 30)) {
        h->away_from = SIM_START + sim_below(s, 60 * SIM_S);
        h->away_to = h->away_from + PICK(s, SIM_S, 30 * SIM_S, 600 * SIM_S, 100000 * SIM_S);
    }
    if (sim_chance(s, 30)) {
        h->closed_from = SIM_START + sim_below(s, 30 * SIM_S);
        h->closed_to = h->closed_from + PICK(s, SIM_S, 20 * SIM_S, 3600 * SIM_S);
    }
}

/* Input comes in bursts: most records at the instant of the one before. */
static void open_jobs(struct sim *s, uint32_t mood)
{
    uint32_t burst = (uint32_t)PICK(s, 0, 3, 20);
    bool large = sim_chance(s, 30), mirrored = sim_chance(s, 40), one_first = sim_chance(s, 50);
    uint64_t comes = SIM_START;
    s->jobs = calloc(s->job_count, sizeof *s->jobs);
    RULE(s, s->jobs);
    for (uint32_t i = 0; i < s->job_count; i++) {
        struct sim_job *j = &s->jobs[i];
        if (sim_chance(s, burst))
            comes += sim_below(s, PICK(s, 50 * SIM_MS, 5 * SIM_S, 60 * SIM_S));
        j->comes = comes;
        j->hop = -1;
        j->size = SIM_BLOCK * (int64_t)sim_below(s, 4);
        if (large && sim_chance(s, 10))
            j->size = SIM_BLOCK * (int64_t)(32 + sim_below(s, SIM_BLOCKS - 32));
        j->wanted = large ? (uint32_t)PICK(s, 1, 2, 4, 8) : 1;
        j->mirrors = mirrored ? 1 + (uint32_t)sim_below(s, SIM_MIRRORS) : 1;
        if (j->mirrors > s->host_count)
            j->mirrors = s->host_count;
        j->vouched = j->mirrors > 1 && sim_chance(s, 60);
        uint32_t first = (uint32_t)sim_below(s, s->host_count);
        if (one_first && i < s->job_count / 2)
            first = 0;
        for (uint32_t m = 0; m < j->mirrors; m++)
            j->hosts[m] = (first + m) % s->host_count;
        parts_reset(j);
    }
    if (mood && sim_chance(s, 15))
        s->cancel_at = SIM_START + sim_below(s, PICK(s, 2 * SIM_S, 60 * SIM_S));
}

/* No run takes longer than if every request were sent alone, at the slowest, and waited for. */
static uint64_t longest(const struct sim *s)
{
    uint64_t worst = 0, sent = 0;
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct options *o = &s->hosts[i].options;
        uint64_t one = (uint64_t)o->retry_backoff_max + (uint64_t)o->retry_retry_after_max;
        if (worst < one)
            worst = one;
    }
    for (uint32_t i = 0; i < s->job_count; i++) /* retries, refused bodies, hops, ranges */
        sent += (uint64_t)(6 + 3 * s->jobs[i].mirrors + 4) * (1 + SIM_MAX_HOPS) + SIM_PARTS;
    return s->jobs[s->job_count - 1].comes + sent * (worst + 400 * SIM_S);
}

void world_open(struct sim *s, uint64_t seed)
{
    s->seed = seed;
    rng_seed(&s->rng, seed);
    rng_seed(&s->jitter, seed + 1);
    s->now = SIM_START;
    s->cancel_at = TIME_NEVER;
    uint32_t mood = (uint32_t)sim_below(s, 4); /* 0: all is well, 1: answers, 2 and 3: hosts */
    s->host_count = 1 + (uint32_t)sim_below(s, sim_chance(s, 50) ? 4 : SIM_HOSTS);
    s->job_count = 1 + (uint32_t)sim_below(s, sim_chance(s, 10) ? 600 : 100);
    for (uint32_t i = 0; i < s->host_count; i++)
        open_host(s, i, mood);
    open_jobs(s, mood);
    s->env = (struct queue_env){
        .capacity = (size_t)(1 + sim_below(s, sim_chance(s, 50) ? 12 : 200)),
        .concurrency = 1 + (uint32_t)sim_below(s, sim_chance(s, 50) ? 4 : SIM_SLOTS),
        .workers = 1 + (uint32_t)sim_below(s, SIM_WORKERS),
        .rate = (double)PICK(s, 0, 0, 2, 30, 60, 333, 1000),
        .overflow = sim_chance(s, 75),
    };
    s->ends_by = longest(s);
    double bandwidth = (double)PICK(s, 0, 0, 0, 500000, 10000000);
    pacer_init(&s->pacer, bandwidth);
    s->bytes.rate = bandwidth;
    s->board = mirror_board_new();
    RULE(s, s->board);
}

void world_close(struct sim *s)
{
    mirror_board_free(s->board);
    free(s->jobs);
}

struct job *world_job(struct sim *s, uint32_t index)
{
    const struct sim_job *j = &s->jobs[index];
    char mirrors[SIM_MIRRORS * 32] = {0};
    size_t n = 0;
    for (uint32_t m = 1; m < j->mirrors; m++)
        n += (size_t)snprintf(mirrors + n, sizeof mirrors - n - 1, "http://h%u/x", j->hosts[m]) + 1;
    struct job *job = job_new(&(struct job_text){.url = "http://x/",
                                                 .authority = s->hosts[j->hosts[0]].authority,
                                                 .mirrors = n ? mirrors : NULL,
                                                 .mirrors_size = n ? n + 1 : 0});
    RULE(s, job);
    job->index = index;
    job->size = j->vouched ? j->size : -1;
    RULE(s, job_url_count(job) == j->mirrors);
    return job;
}

static void refuse(struct sim *s, struct answer *a)
{
    a->kind = SAYS_STATUS;
    a->outcome = WEIR_HTTP;
    a->http_status = sim_chance(s, 50) ? 429 : 503;
    if (sim_chance(s, 60))
        a->retry_after_ns =
            (int64_t)PICK(s, 0, SIM_S, 5 * SIM_S, 30 * SIM_S, 120 * SIM_S, 4000 * SIM_S);
}

static void go_wrong(struct sim *s, struct answer *a)
{
    static const status broken[] = {WEIR_CONNECT, WEIR_DNS, WEIR_TIMEOUT, WEIR_TLS};
    static const int codes[] = {404, 410, 403, 500, 502, 504, 400};
    switch (sim_below(s, 6)) {
    case 0:
        a->kind = SAYS_NOTHING;
        a->outcome = broken[sim_below(s, 4)];
        break;
    case 1:
        a->kind = SAYS_STATUS;
        a->outcome = WEIR_HTTP;
        a->http_status = codes[sim_below(s, 7)];
        break;
    case 2:
        refuse(s, a);
        break;
    case 3:
        a->kind = SAYS_HOP;
        a->http_status = 302;
        a->outcome = WEIR_REDIRECT;
        a->to = (uint32_t)sim_below(s, s->host_count);
        break;
    case 4:
        a->bad = true;
        break;
    default:
        a->outcome = sim_chance(s, 50) ? WEIR_TRUNCATED : WEIR_STALLED;
        a->lasts = SIM_BLOCK * (int64_t)sim_below(s, 1 + sim_below(s, 40));
    }
}

void world_answer(struct sim *s, struct exchange *x)
{
    const struct sim_host *h = &s->hosts[x->host];
    struct answer *a = &x->answer;
    *a = (struct answer){.http_status = 200, .retry_after_ns = -1, .lasts = -1};
    a->latency = sim_below(s, 200) * SIM_MS / 2;
    if (s->now >= h->away_from && s->now < h->away_to) {
        a->kind = SAYS_NOTHING;
        a->outcome = sim_chance(s, 80) ? WEIR_CONNECT : WEIR_TIMEOUT;
        a->latency = a->outcome == WEIR_TIMEOUT ? 30 * SIM_S : 0;
    } else if (s->now >= h->closed_from && s->now < h->closed_to) {
        refuse(s, a);
    } else if (sim_chance(s, h->trouble)) {
        go_wrong(s, a);
    }
}
