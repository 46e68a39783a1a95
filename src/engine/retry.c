/* What to do after an attempt; see retry.h. Pure: called by the worker of the fetch, and by a table
 * in the tests.
 */
#include "engine/retry.h"

static bool is_refusal(const struct retry_facts *f)
{
    return (f->outcome == WEIR_HTTP || f->outcome == WEIR_RATE_LIMITED) &&
           (f->http_status == 429 || f->http_status == 503);
}

/* The class under which a job is reported that is not tried again. */
static status final_class(const struct retry_facts *f)
{
    if (is_refusal(f) && (f->http_status == 429 || f->retry_after_ns >= 0))
        return WEIR_RATE_LIMITED;
    return f->outcome;
}

static bool is_retryable(const struct retry_facts *f, const struct options *options)
{
    if (f->outcome == WEIR_RATE_LIMITED)
        return true;
    if (f->outcome == WEIR_HTTP && f->not_heard)
        return true;
    if (f->outcome == WEIR_HTTP) /* what is not there does not come by asking again */
        return f->http_status != 404 && f->http_status != 410 &&
               status_set_has(&options->retry_statuses, f->http_status);
    return weir_status_grade(f->outcome) == WEIR_GRADE_RETRY;
}

static enum host_verdict verdict_on(const struct retry_facts *f)
{
    if (is_refusal(f))
        return HOST_REFUSED;
    switch (f->outcome) {
    case WEIR_DNS:
    case WEIR_CONNECT:
    case WEIR_TLS:
    case WEIR_TIMEOUT:
    case WEIR_STALLED:
        return f->answered ? HOST_SILENT : HOST_UNREACHABLE;
    case WEIR_TRUNCATED:
    case WEIR_CANCELLED:
        return HOST_SILENT;
    default: /* an HTTP status, or trouble with what was received */
        return f->answered ? HOST_ANSWERED : HOST_SILENT;
    }
}

static uint64_t back_off(const struct retry_facts *f, const struct options *options,
                         struct rng *rng)
{
    uint64_t longest = (uint64_t)options->retry_backoff_max;
    uint64_t cap = (uint64_t)options->retry_backoff;
    for (uint32_t step = f->progressed ? 1 : f->attempts; step > 1 && cap < longest; step--)
        cap *= 2;
    return rng_below(rng, (cap < longest ? cap : longest) + 1);
}

/* Another mirror may have what this one refuses, hides or has in another version. */
static bool concerns_mirror(const struct retry_facts *f)
{
    return f->outcome == WEIR_HTTP || f->outcome == WEIR_TLS || f->outcome == WEIR_REDIRECT ||
           f->outcome == WEIR_CHECKSUM || weir_status_grade(f->outcome) == WEIR_GRADE_RETRY;
}

/* Once more from the same URL, since it may have been damaged on the way; then the next mirror. */
static struct retry_decision after_refusal(const struct retry_facts *f, struct retry_decision d,
                                           uint64_t now)
{
    d.at = now;
    if (f->refusals % 2 == 1) {
        d.action = RETRY_AT;
    } else if (f->others) {
        d.action = RETRY_ELSEWHERE;
        d.dead = true;
    }
    return d;
}

/* Its jobs fail at once. Each mirror is told so once: two that are down would send the job to and
 * fro without end, since nothing is asked and so no attempt is spent. */
static struct retry_decision without_host(const struct retry_facts *f, uint32_t most, uint64_t now)
{
    bool elsewhere = f->others && f->attempts <= most;
    return (struct retry_decision){.action = elsewhere ? RETRY_ELSEWHERE : RETRY_GIVE_UP,
                                   .at = now,
                                   .dead = elsewhere,
                                   .outcome = f->outcome,
                                   .host = {.verdict = HOST_SILENT}};
}

struct retry_decision retry_decide(const struct retry_facts *facts, const struct options *options,
                                   uint64_t now, struct rng *rng)
{
    uint32_t most = (uint32_t)options->retry_retries + facts->others;
    if (facts->host_is_down)
        return without_host(facts, most, now);
    struct retry_decision d = {.action = RETRY_GIVE_UP, .outcome = final_class(facts)};
    bool told = facts->retry_after_ns >= 0;
    bool too_long = told && facts->retry_after_ns > options->retry_retry_after_max;
    uint64_t wait = back_off(facts, options, rng);
    uint64_t asked = told ? (uint64_t)facts->retry_after_ns : 0;

    d.host.verdict = verdict_on(facts);
    d.host.failure = d.outcome;
    if (d.host.verdict == HOST_REFUSED) {
        /* 503 without Retry-After may concern this one resource: only the job backs off. */
        if (told || facts->http_status == 429)
            d.host.hold_until = now + (told ? asked : wait);
        d.host.too_long = too_long;
    }
    if (facts->refused)
        return after_refusal(facts, d, now);
    bool retryable = is_retryable(facts, options);
    if (retryable && too_long)
        d.outcome = WEIR_RATE_LIMITED;
    if (facts->others && facts->attempts <= most && (retryable || concerns_mirror(facts))) {
        d.action = RETRY_ELSEWHERE;
        d.dead = !retryable || too_long;
        /* Each is asked once without a pause; then all of them have failed. */
        d.at = now + (d.dead || facts->attempts < facts->urls ? 0 : wait);
        return d;
    }
    if (!retryable || too_long || facts->attempts > options->retry_retries)
        return d;
    d.action = RETRY_AT;
    d.at = now + (wait > asked ? wait : asked);
    return d;
}
