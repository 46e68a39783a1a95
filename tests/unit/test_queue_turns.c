/* Whose turn it is: shares, fairness, wakes, and the instants at which sleepers look again.
 */
#include "queue_fixture.h"

static void run_rate_tells_when_to_ask_again(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.rate = 10}, 8);
    put_n(&b, "a:80", 30);
    int taken = 0;
    uint64_t end = b.now + 2 * S;
    while (b.now < end) {
        struct job *job = take(&b, 0);
        if (job) {
            taken++;
            finish(&b, job);
            continue;
        }
        uint64_t when = take_nothing(&b, 0);
        assert_true(when > b.now);
        b.now = when;
    }
    assert_in_range(taken, 20, 21);
    queue_free(b.queue);
}

static void eight_jobs_on_two_workers_are_four_and_four(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 2}, 8);
    take_nothing(&b, 0);
    take_nothing(&b, 1);
    put_n(&b, "a:80", 8);
    struct job *jobs[8];
    int n = 0, slots[2] = {0, 0};
    assert_int_equal(b.wakes[0] + b.wakes[1], 1);
    bool asks[2] = {b.wakes[0] > 0, b.wakes[1] > 0};
    while (asks[0] || asks[1]) {
        uint32_t w = asks[0] ? 0 : 1;
        int before = b.wakes[!w];
        struct job *job;
        while ((job = take(&b, w))) {
            slots[w]++;
            jobs[n++] = job;
        }
        asks[w] = false;
        asks[!w] |= b.wakes[!w] > before;
    }
    assert_int_equal(slots[0], 4);
    assert_int_equal(slots[1], 4);
    while (n > 0)
        finish(&b, jobs[--n]);
    queue_free(b.queue);
}

static void worker_never_has_more_than_its_share(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 3, .concurrency = 16}, 100);
    put_n(&b, "a:80", 20);
    struct job *jobs[20], *job;
    int n = 0;
    while ((job = take(&b, 1)))
        jobs[n++] = job;
    assert_int_equal(n, 6);
    while (n > 0)
        finish(&b, jobs[--n]);
    queue_free(b.queue);
}

static void put_wakes_one_hungry_worker_once(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 3}, 8);
    put_n(&b, "a:80", 1);
    assert_int_equal(b.wakes[0] + b.wakes[1] + b.wakes[2], 0); /* nobody has asked yet */
    struct job *job = take(&b, 0);
    for (uint32_t w = 0; w < 3; w++)
        take_nothing(&b, w);
    put_n(&b, "b:80", 3);
    assert_int_equal(b.wakes[0], 0); /* has a slot in use, the others none */
    assert_int_equal(b.wakes[1] + b.wakes[2], 1);
    finish(&b, job);
    queue_free(b.queue);
}

static void put_wakes_a_sleeper_when_the_host_must_wait_for_its_rate(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){0}, 8);
    b.options.limits_host_rate = 1;
    put_n(&b, "a:80", 1);
    finish(&b, take(&b, 0));
    assert_true(take_nothing(&b, 0) == TIME_NEVER);
    put_n(&b, "a:80", 1); /* not takable yet, but somebody must know when */
    assert_int_equal(b.wakes[0], 1);
    uint64_t when = take_nothing(&b, 0);
    assert_true(when > b.now && when <= b.now + S);
    b.now = when;
    finish(&b, take(&b, 0));
    queue_free(b.queue);
}

static void sleeper_is_told_when_the_first_job_is_due(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){0}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0);
    ends(&b, job, HOST_SILENT, 0);
    queue_put_later(b.queue, job, NULL, b.now + 5 * S);
    assert_true(take_nothing(&b, 0) == b.now + 5 * S);
    b.now += 5 * S;
    assert_ptr_equal(take(&b, 0), job);
    finish(&b, job);
    queue_free(b.queue);
}

static void pinned_job_goes_to_its_worker_only_and_first(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 2}, 8);
    put_n(&b, "a:80", 4);
    struct job *job = take(&b, 1), *other;
    ends(&b, job, HOST_SILENT, 0);
    job->worker = 1;
    queue_put_later(b.queue, job, NULL, 0);
    assert_non_null(other = take(&b, 0));
    assert_ptr_not_equal(other, job);
    finish(&b, other);
    assert_ptr_equal(take(&b, 1), job);
    finish(&b, job);
    queue_free(b.queue);
}

static void pinned_job_that_is_due_wakes_its_worker(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 2}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 1);
    ends(&b, job, HOST_SILENT, 0);
    job->worker = 1;
    queue_put_later(b.queue, job, NULL, b.now + S);
    take_nothing(&b, 1);
    b.now += S;
    take_nothing(&b, 0); /* the other one happens to look first */
    assert_int_equal(b.wakes[1], 1);
    assert_ptr_equal(take(&b, 1), job);
    finish(&b, job);
    queue_free(b.queue);
}

static void pinned_job_gets_the_last_slot_before_others_go_on(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 2, .concurrency = 1}, 8);
    put_n(&b, "a:80", 5);
    struct job *pinned = take(&b, 1);
    ends(&b, pinned, HOST_SILENT, 0);
    pinned->worker = 1;
    queue_put_later(b.queue, pinned, NULL, b.now + S);
    struct job *job = take(&b, 0);
    take_nothing(&b, 1);
    b.now += S;
    finish(&b, job);
    take_nothing(&b, 0); /* has as many slots as the other: none */
    assert_int_equal(b.wakes[1], 1);
    assert_ptr_equal(take(&b, 1), pinned);
    finish(&b, pinned);
    queue_free(b.queue);
}

/* The rate does not let it start at once, and nobody was told when it does. */
static void answered_probe_wakes_for_a_pinned_job_when_the_rate_allows_it(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.workers = 2, .rate = 1}, 8);
    put_n(&b, "a:80", 2);
    struct job *pinned = take(&b, 1);
    assert_int_equal(put(&b, "b:80"), OK);
    b.now += S;
    struct job *probe = take(&b, 0);
    ends(&b, probe, HOST_REFUSED, b.now + 10 * S);
    queue_put_later(b.queue, probe, NULL, b.now + 10 * S);
    ends(&b, pinned, HOST_SILENT, 0);
    pinned->worker = 1;
    queue_put_later(b.queue, pinned, NULL, 0);
    b.now += S;
    struct job *other = take(&b, 1); /* so that it has more slots than the one who probes */
    take_nothing(&b, 1);
    take_nothing(&b, 0);
    b.now += 9 * S;
    assert_ptr_equal(take(&b, 0), probe);
    assert_true(take_nothing(&b, 0) == TIME_NEVER);
    b.wakes[0] = b.wakes[1] = 0;
    b.now += S / 10;
    queue_answered(b.queue, probe, b.now);
    assert_int_equal(b.wakes[0] + b.wakes[1], 1);
    b.now = take_nothing(&b, 0);
    assert_true(b.now < START + 13 * S);
    take_nothing(&b, 0);
    assert_int_equal(b.wakes[1], 1);
    assert_ptr_equal(take(&b, 1), pinned);
    finish(&b, pinned);
    finish(&b, probe);
    finish(&b, other);
    queue_free(b.queue);
}

static void per_host_bound_time_is_counted(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 4}, 1);
    put_n(&b, "a:80", 3);
    struct job *job = take(&b, 0);
    take_nothing(&b, 0);
    b.now += 5 * S;
    finish(&b, job); /* 5 s with slots free and only limits.per_host in the way */
    assert_true(counts(&b).per_host_bound_ns == 5 * S);
    job = take(&b, 0);
    ends(&b, job, HOST_REFUSED, b.now + 60 * S);
    queue_put_later(b.queue, job, NULL, b.now + 60 * S);
    take_nothing(&b, 0);
    b.now += 30 * S;
    take_nothing(&b, 0); /* a hold is another matter */
    assert_true(counts(&b).per_host_bound_ns == 5 * S);
    assert_true(counts(&b).slots_idle_ns == 35 * S);
    queue_free(b.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_rate_tells_when_to_ask_again),
        cmocka_unit_test(eight_jobs_on_two_workers_are_four_and_four),
        cmocka_unit_test(worker_never_has_more_than_its_share),
        cmocka_unit_test(put_wakes_one_hungry_worker_once),
        cmocka_unit_test(put_wakes_a_sleeper_when_the_host_must_wait_for_its_rate),
        cmocka_unit_test(sleeper_is_told_when_the_first_job_is_due),
        cmocka_unit_test(pinned_job_goes_to_its_worker_only_and_first),
        cmocka_unit_test(pinned_job_that_is_due_wakes_its_worker),
        cmocka_unit_test(pinned_job_gets_the_last_slot_before_others_go_on),
        cmocka_unit_test(answered_probe_wakes_for_a_pinned_job_when_the_rate_allows_it),
        cmocka_unit_test(per_host_bound_time_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
