/* What to do after an attempt: one table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/retry.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define S ((int64_t)NS_PER_S)
#define NOW ((uint64_t)(5000 * S))
#define NONE (-1)

static struct options defaults(void)
{
    static const int statuses[] = {408, 425, 429, 500, 502, 503, 504, 404};
    struct options o;
    memset(&o, 0, sizeof o);
    o.retry_retries = 5;
    o.retry_backoff = S;
    o.retry_backoff_max = 60 * S;
    o.retry_retry_after_max = 3600 * S;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        o.retry_statuses.bits[statuses[i] / 64] |= UINT64_C(1) << (statuses[i] % 64);
    return o;
}

/* `at` lies in [NOW + at_least, NOW + at_most]; hold likewise: 0 = none, HOLD_AT = the same as at.
 */
#define HOLD_AT (-2)

static const struct row {
    const char *name;
    struct retry_facts f;
    enum retry_action action;
    status outcome; /* GIVE_UP */
    int64_t at_least, at_most;
    enum host_verdict verdict;
    int64_t hold;
} rows[] = {
    /* {outcome, http, answered, retry_after, attempts, progressed} */
    {"dns",
     {WEIR_DNS, 0, false, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_UNREACHABLE,
     0},
    {"connect",
     {WEIR_CONNECT, 0, false, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_UNREACHABLE,
     0},
    {"lost on the way",
     {WEIR_CONNECT, 200, true, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_SILENT,
     0},
    {"timeout before",
     {WEIR_TIMEOUT, 0, false, NONE, 2, .progressed = false},
     RETRY_AT,
     0,
     0,
     2 * S,
     HOST_UNREACHABLE,
     0},
    {"timeout after",
     {WEIR_TIMEOUT, 200, true, NONE, 2, .progressed = false},
     RETRY_AT,
     0,
     0,
     2 * S,
     HOST_SILENT,
     0},
    {"stalled",
     {WEIR_STALLED, 200, true, NONE, 3, .progressed = false},
     RETRY_AT,
     0,
     0,
     4 * S,
     HOST_SILENT,
     0},
    {"truncated",
     {WEIR_TRUNCATED, 200, true, NONE, 5, .progressed = false},
     RETRY_AT,
     0,
     0,
     16 * S,
     HOST_SILENT,
     0},
    {"progress",
     {WEIR_TRUNCATED, 206, true, NONE, 5, .progressed = true},
     RETRY_AT,
     0,
     0,
     S,
     HOST_SILENT,
     0},
    {"last",
     {WEIR_TRUNCATED, 200, true, NONE, 6, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_TRUNCATED,
     0,
     0,
     HOST_SILENT,
     0},
    {"tls",
     {WEIR_TLS, 0, false, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_TLS,
     0,
     0,
     HOST_UNREACHABLE,
     0},
    {"500",
     {WEIR_HTTP, 500, true, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_ANSWERED,
     0},
    {"500 with wait",
     {WEIR_HTTP, 500, true, 7 * S, 1, .progressed = false},
     RETRY_AT,
     0,
     7 * S,
     7 * S,
     HOST_ANSWERED,
     0},
    {"500 last",
     {WEIR_HTTP, 500, true, NONE, 6, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"404 although listed",
     {WEIR_HTTP, 404, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"410",
     {WEIR_HTTP, 410, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"403",
     {WEIR_HTTP, 403, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"501 not listed",
     {WEIR_HTTP, 501, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"429",
     {WEIR_HTTP, 429, true, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_REFUSED,
     HOLD_AT},
    {"429 told",
     {WEIR_HTTP, 429, true, 30 * S, 1, .progressed = false},
     RETRY_AT,
     0,
     30 * S,
     30 * S,
     HOST_REFUSED,
     30 * S},
    {"429 class",
     {WEIR_RATE_LIMITED, 429, true, 30 * S, 1, .progressed = false},
     RETRY_AT,
     0,
     30 * S,
     30 * S,
     HOST_REFUSED,
     30 * S},
    {"429 last",
     {WEIR_HTTP, 429, true, 30 * S, 6, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_RATE_LIMITED,
     0,
     0,
     HOST_REFUSED,
     30 * S},
    {"503",
     {WEIR_HTTP, 503, true, NONE, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_REFUSED,
     0},
    {"503 told",
     {WEIR_HTTP, 503, true, 9 * S, 1, .progressed = false},
     RETRY_AT,
     0,
     9 * S,
     9 * S,
     HOST_REFUSED,
     9 * S},
    {"503 told 0",
     {WEIR_HTTP, 503, true, 0, 1, .progressed = false},
     RETRY_AT,
     0,
     0,
     S,
     HOST_REFUSED,
     0},
    {"503 last",
     {WEIR_HTTP, 503, true, NONE, 6, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_HTTP,
     0,
     0,
     HOST_REFUSED,
     0},
    {"503 told last",
     {WEIR_HTTP, 503, true, S, 6, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_RATE_LIMITED,
     0,
     0,
     HOST_REFUSED,
     S},
    {"too long",
     {WEIR_HTTP, 503, true, 7200 * S, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_RATE_LIMITED,
     0,
     0,
     HOST_REFUSED,
     7200 * S},
    {"just not too long",
     {WEIR_HTTP, 503, true, 3600 * S, 1, .progressed = false},
     RETRY_AT,
     0,
     3600 * S,
     3600 * S,
     HOST_REFUSED,
     3600 * S},
    {"checksum",
     {WEIR_CHECKSUM, 200, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_CHECKSUM,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"disk",
     {WEIR_DISK, 200, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_DISK,
     0,
     0,
     HOST_ANSWERED,
     0},
    {"disk before",
     {WEIR_DISK, 0, false, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_DISK,
     0,
     0,
     HOST_SILENT,
     0},
    {"policy before",
     {WEIR_POLICY, 0, false, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_POLICY,
     0,
     0,
     HOST_SILENT,
     0},
    {"cancelled",
     {WEIR_CANCELLED, 200, true, NONE, 1, .progressed = false},
     RETRY_GIVE_UP,
     WEIR_CANCELLED,
     0,
     0,
     HOST_SILENT,
     0},
};

static void decisions_follow_the_table(void **state)
{
    struct options o = defaults();
    struct rng rng;
    rng_seed(&rng, 42);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int times = 0; times < 50; times++) {
            const struct row *r = &rows[i];
            struct retry_decision d = retry_decide(&r->f, &o, NOW, &rng);
            if (d.action != r->action)
                fail_msg("%s: action %d", r->name, d.action);
            if (d.action == RETRY_GIVE_UP && d.outcome != r->outcome)
                fail_msg("%s: class %s", r->name, weir_status_name(d.outcome));
            if (d.action == RETRY_AT &&
                (d.at < NOW + (uint64_t)r->at_least || d.at > NOW + (uint64_t)r->at_most))
                fail_msg("%s: waits %.3f s", r->name, (double)(d.at - NOW) / 1e9);
            if (d.host.verdict != r->verdict)
                fail_msg("%s: verdict %d", r->name, d.host.verdict);
            uint64_t hold = d.host.hold_until > NOW ? d.host.hold_until : 0;
            uint64_t want = r->hold == HOLD_AT ? (d.at > NOW ? d.at : 0)
                                               : (r->hold ? NOW + (uint64_t)r->hold : 0);
            if (hold != want)
                fail_msg("%s: held for %.3f s", r->name, (double)(hold - NOW) / 1e9);
            assert_int_equal(d.host.too_long, r->f.retry_after_ns > o.retry_retry_after_max);
        }
}

static void jitter_fills_the_whole_range_up_to_the_cap(void **state)
{
    struct options o = defaults();
    struct rng rng;
    rng_seed(&rng, 7);
    o.retry_retries = 1000;
    static const struct {
        uint32_t attempts;
        double cap_s;
    } steps[] = {{1, 1}, {2, 2}, {6, 32}, {7, 60}, {8, 60}, {900, 60}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        double least = 1e9, most = 0, sum = 0;
        for (int n = 0; n < 2000; n++) {
            struct retry_facts f = {
                .outcome = WEIR_CONNECT, .retry_after_ns = NONE, .attempts = steps[i].attempts};
            double wait = (double)(retry_decide(&f, &o, NOW, &rng).at - NOW) / 1e9;
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
            sum += wait;
        }
        double cap = steps[i].cap_s;
        if (most > cap || most < 0.98 * cap || least > 0.02 * cap || sum / 2000 < 0.46 * cap ||
            sum / 2000 > 0.54 * cap)
            fail_msg("attempt %u: %g to %g s, mean %g, wanted 0 to %g", steps[i].attempts, least,
                     most, sum / 2000, cap);
    }
}

static void no_retries_and_no_back_off_are_allowed(void **state)
{
    struct options o = defaults();
    struct rng rng;
    rng_seed(&rng, 7);
    struct retry_facts f = {.outcome = WEIR_CONNECT, .retry_after_ns = NONE, .attempts = 1};
    o.retry_backoff = 0;
    assert_true(retry_decide(&f, &o, NOW, &rng).at == NOW);
    o.retry_retries = 0;
    assert_int_equal(retry_decide(&f, &o, NOW, &rng).action, RETRY_GIVE_UP);
}

/* Nothing was asked and no attempt is spent, so two mirrors that are down must not send a job to
 * and fro. */
static void mirror_whose_host_is_down_is_not_come_back_to(void **state)
{
    struct options o = defaults();
    struct rng rng;
    rng_seed(&rng, 7);
    static const status classes[] = {WEIR_CONNECT, WEIR_RATE_LIMITED};
    for (size_t i = 0; i < 2; i++) {
        struct retry_facts f = {.outcome = classes[i],
                                .retry_after_ns = NONE,
                                .others = 1,
                                .urls = 2,
                                .host_is_down = true};
        struct retry_decision d = retry_decide(&f, &o, NOW, &rng);
        assert_int_equal(d.action, RETRY_ELSEWHERE);
        assert_true(d.dead && d.at == NOW);
        assert_int_equal(d.host.verdict, HOST_SILENT);
        f.others = 0;
        d = retry_decide(&f, &o, NOW, &rng);
        assert_int_equal(d.action, RETRY_GIVE_UP);
        assert_int_equal(d.outcome, classes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_follow_the_table),
        cmocka_unit_test(jitter_fills_the_whole_range_up_to_the_cap),
        cmocka_unit_test(no_retries_and_no_back_off_are_allowed),
        cmocka_unit_test(mirror_whose_host_is_down_is_not_come_back_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
