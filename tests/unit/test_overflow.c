/* The overflow file: order, contents, and what a full disk leaves behind. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/job.h"
#include "queue/overflow.h"

#include <cmocka.h>

static struct job *numbered_job(uint64_t index, size_t padding)
{
    char *url = malloc(padding + 64);
    int n = snprintf(url, 64, "http://host/%llu?", (unsigned long long)index);
    memset(url + n, 'x', padding);
    url[(size_t)n + padding] = '\0';
    struct job *job = job_new(&(struct job_text){.url = url, .authority = "host:80"});
    free(url);
    assert_non_null(job);
    job->index = index;
    return job;
}

static int append(struct overflow *o, struct overflow_chain *chain, uint64_t index, size_t padding)
{
    struct job *job = numbered_job(index, padding);
    job->host = (struct host *)job; /* comes back as NULL */
    int rc = overflow_append(o, chain, job);
    job_free(job);
    return rc;
}

static void expect(struct overflow *o, struct overflow_chain *chain, uint64_t index)
{
    struct job *job = NULL;
    char start[64];
    assert_int_equal(overflow_next(o, chain, &job), 0);
    assert_non_null(job);
    assert_int_equal(job->index, index);
    assert_null(job->host);
    assert_null(job->next);
    snprintf(start, sizeof start, "http://host/%llu?", (unsigned long long)index);
    assert_memory_equal(job_text(job, job->url), start, strlen(start));
    assert_string_equal(job_text(job, job->authority), "host:80");
    job_free(job);
}

static void expect_none(struct overflow *o, struct overflow_chain *chain)
{
    struct job *job = NULL;
    assert_int_equal(overflow_next(o, chain, &job), 0);
    assert_null(job);
}

static void chains_keep_their_order_when_mixed(void **state)
{
    enum { CHAINS = 7, STEPS = 60000 };
    struct overflow *o = overflow_new();
    struct overflow_chain chains[CHAINS] = {0};
    uint64_t put[CHAINS] = {0}, got[CHAINS] = {0};
    struct rng rng;
    rng_seed(&rng, 99);
    for (int step = 0; step < STEPS; step++) {
        uint64_t c = rng_below(&rng, CHAINS);
        bool grow = (step / 10000) % 2 == 0; /* fill, drain, fill, ... */
        if (rng_below(&rng, 10) < (grow ? 7u : 3u)) {
            size_t padding = rng_below(&rng, 100) ? rng_below(&rng, 300) : rng_below(&rng, 60000);
            assert_int_equal(append(o, &chains[c], put[c]++ * CHAINS + c, padding), 0);
        } else if (got[c] < put[c]) {
            expect(o, &chains[c], got[c]++ * CHAINS + c);
        } else {
            expect_none(o, &chains[c]);
        }
    }
    for (uint64_t c = 0; c < CHAINS; c++) {
        while (got[c] < put[c])
            expect(o, &chains[c], got[c]++ * CHAINS + c);
        expect_none(o, &chains[c]);
    }
    overflow_free(o);
}

static void job_larger_than_a_block_is_refused(void **state)
{
    struct overflow *o = overflow_new();
    struct overflow_chain chain = {0};
    assert_false(overflow_takes(65536));
    assert_true(append(o, &chain, 1, 65536) < 0);
    assert_int_equal(append(o, &chain, 2, 65000), 0);
    assert_int_equal(append(o, &chain, 3, 65000), 0);
    expect(o, &chain, 2);
    expect(o, &chain, 3);
    expect_none(o, &chain);
    overflow_free(o);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_refuses_appends_and_loses_nothing(void **state)
{
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails with EFBIG, as ENOSPC would */
    limit_file_size(200000);
    struct overflow *o = overflow_new();
    struct overflow_chain chains[2] = {0};
    uint64_t put[2] = {0}, got[2] = {0};
    struct rng rng;
    rng_seed(&rng, 5);
    int refused = 0;
    for (int i = 0; i < 4000; i++) {
        uint64_t c = rng_below(&rng, 2);
        if (append(o, &chains[c], put[c] * 2 + c, 100))
            refused++;
        else
            put[c]++;
    }
    assert_true(refused > 100);
    assert_true(put[0] + put[1] > 400);
    limit_file_size(before.rlim_cur); /* there is room again */
    for (int i = 0; i < 1000; i++) {
        uint64_t c = rng_below(&rng, 2);
        assert_int_equal(append(o, &chains[c], put[c]++ * 2 + c, 100), 0);
    }
    for (uint64_t c = 0; c < 2; c++) {
        while (got[c] < put[c])
            expect(o, &chains[c], got[c]++ * 2 + c);
        expect_none(o, &chains[c]);
    }
    overflow_free(o);
}

static void folder_that_is_missing_is_an_error_and_may_come_back(void **state)
{
    struct overflow *o = overflow_new();
    struct overflow_chain chain = {0};
    setenv("TMPDIR", "/nonexistent", 1);
    assert_true(append(o, &chain, 1, 10) < 0);
    unsetenv("TMPDIR");
    assert_int_equal(append(o, &chain, 1, 10), 0);
    expect(o, &chain, 1);
    overflow_free(o);
    overflow_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_keep_their_order_when_mixed),
        cmocka_unit_test(job_larger_than_a_block_is_refused),
        cmocka_unit_test(full_disk_refuses_appends_and_loses_nothing),
        cmocka_unit_test(folder_that_is_missing_is_an_error_and_may_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
