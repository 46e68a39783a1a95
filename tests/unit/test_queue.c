/* The queue, one behaviour at a time: order, bounds, holds, overflow, the end. Who gets a job and
 * who is woken is in test_queue_turns.c, whole runs in tests/simulation, real threads in
 * test_queue_threads.c.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "queue_fixture.h"

static void jobs_of_a_host_come_in_order_and_hosts_in_turn(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){0}, 8);
    put_n(&b, "a:80", 3);
    put_n(&b, "b:80", 3);
    put_n(&b, "c:80", 1);
    static const uint64_t order[] = {0, 3, 6, 1, 4, 2, 5};
    for (size_t i = 0; i < 7; i++) {
        struct job *job = take(&b, 0);
        assert_non_null(job);
        assert_int_equal(job->index, order[i]);
        finish(&b, job);
    }
    queue_free(b.queue);
}

static void lane_takes_at_most_half_two_a_third_each(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.capacity = 120}, 8);
    int a = 0, c = 0, d = 0;
    while (put(&b, "a:80") == OK)
        a++;
    assert_int_equal(a, 60);
    while (put(&b, "c:80") == OK)
        c++;
    assert_int_equal(c, 30);
    while (put(&b, "d:80") == OK)
        d++;
    assert_int_equal(d, 15);
    queue_free(b.queue);
}

static void put_says_again_when_full_and_done_makes_room(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.capacity = 2}, 8);
    assert_int_equal(put(&b, "a:80"), OK);
    assert_int_equal(put(&b, "a:80"), WEIR_AGAIN);
    assert_int_equal(put(&b, "b:80"), OK);
    assert_int_equal(put(&b, "c:80"), WEIR_AGAIN);
    struct job *job = take(&b, 0);
    assert_int_equal(put(&b, "c:80"), WEIR_AGAIN); /* in flight is inside */
    ends(&b, job, HOST_ANSWERED, 0);
    assert_int_equal(put(&b, "c:80"), WEIR_AGAIN); /* sealed too */
    queue_done(b.queue, job);
    assert_int_equal(put(&b, "c:80"), OK);
    queue_free(b.queue);
}

static void limits_of_slots_hold(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 5}, 2);
    put_n(&b, "a:80", 4);
    put_n(&b, "b:80", 4);
    put_n(&b, "c:80", 4);
    struct job *jobs[5];
    for (int i = 0; i < 5; i++)
        assert_non_null(jobs[i] = take(&b, 0));
    assert_true(take_nothing(&b, 0) == TIME_NEVER);
    finish(&b, jobs[0]); /* a's; b and c have two and one in flight */
    assert_string_equal((jobs[0] = take(&b, 0))->host->authority, "c:80");
    assert_null(take(&b, 0));
    for (int i = 0; i < 5; i++)
        finish(&b, jobs[i]);
    queue_free(b.queue);
}

static void job_put_later_comes_when_due_and_before_untried_ones(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 2}, 8);
    put_n(&b, "a:80", 5);
    struct job *first = take(&b, 0), *second = take(&b, 0);
    ends(&b, first, HOST_SILENT, 0);
    ends(&b, second, HOST_SILENT, 0);
    queue_put_later(b.queue, first, NULL, b.now + 2 * S);
    queue_put_later(b.queue, second, NULL, b.now + S);
    assert_int_equal(counts(&b).waiting, 2);
    struct job *job = take(&b, 0);
    assert_int_equal(job->index, 2); /* the host is not held back by them */
    finish(&b, job);
    b.now += 3 * S;
    assert_ptr_equal(take(&b, 0), second);
    assert_ptr_equal(take(&b, 0), first);
    finish(&b, first);
    finish(&b, second);
    assert_int_equal((job = take(&b, 0))->index, 3);
    finish(&b, job);
    queue_free(b.queue);
}

static void jobs_due_at_the_same_instant_keep_their_order(void **state)
{
    struct bench b;
    struct job *jobs[16];
    open_bench(&b, (struct queue_env){0}, 16);
    put_n(&b, "a:80", 16);
    for (int i = 0; i < 16; i++)
        jobs[i] = take(&b, 0);
    for (int i = 0; i < 16; i++) {
        ends(&b, jobs[i], HOST_SILENT, 0);
        queue_put_later(b.queue, jobs[i], NULL, b.now + S);
    }
    b.now += S;
    for (int i = 0; i < 16; i++) {
        struct job *job = take(&b, 0);
        assert_ptr_equal(job, jobs[i]);
        finish(&b, job);
    }
    queue_free(b.queue);
}

static void redirect_hop_goes_to_the_other_hosts_lane(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){0}, 1);
    put_n(&b, "a:80", 1);
    put_n(&b, "b:80", 2);
    struct job *hop = take(&b, 0), *job = take(&b, 0);
    ends(&b, hop, HOST_ANSWERED, 0);
    queue_put_later(b.queue, hop, "b:80", 0);
    take_nothing(&b, 0); /* b's one slot is taken */
    finish(&b, job);
    assert_ptr_equal(take(&b, 0), hop);
    assert_string_equal(hop->host->authority, "b:80");
    finish(&b, hop);
    finish(&b, take(&b, 0));
    assert_int_equal(counts(&b).inside, 0);
    queue_free(b.queue);
}

static struct host *more(struct bench *b, const char *authority)
{
    return queue_more(b->queue, 0, authority, b->now);
}

static void less(struct bench *b, struct host *host)
{
    struct host_report report = {.verdict = HOST_ANSWERED};
    queue_less(b->queue, 0, host, &report, b->now);
}

static void further_transfers_get_what_no_job_waits_for(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 4}, 3);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0), *other;
    struct host *first = more(&b, "a:80"), *second = more(&b, "a:80"), *third;
    assert_non_null(first);
    assert_ptr_equal(first, job->host);
    assert_non_null(second);
    assert_null(more(&b, "a:80")); /* limits.per_host, which is counted */
    struct queue_counts counts;
    b.now += S;
    assert_null(more(&b, "a:80"));
    queue_counts(b.queue, &counts);
    assert_int_equal(counts.per_host_bound_ns, S);
    assert_non_null(third = more(&b, "b:80"));
    assert_null(more(&b, "b:80")); /* run.concurrency */
    assert_false(queue_pressed(b.queue, first));
    put_n(&b, "c:80", 1); /* somebody waits for any slot ... */
    assert_true(queue_pressed(b.queue, first) && queue_pressed(b.queue, third));
    less(&b, third);
    assert_null(more(&b, "b:80")); /* ... and has it before */
    assert_non_null(other = take(&b, 0));
    assert_false(queue_pressed(b.queue, first));
    finish(&b, other);
    put_n(&b, "a:80", 1); /* and now for one of this host */
    assert_true(queue_pressed(b.queue, first));
    less(&b, first);
    assert_non_null(other = take(&b, 0));
    finish(&b, other);
    less(&b, second);
    finish(&b, job);
    queue_free(b.queue);
}

static void another_request_on_a_slot_obeys_the_rates(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 8, .rate = 2}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0);
    assert_false(queue_again(b.queue, job, b.now));
    b.now += S;
    assert_true(queue_again(b.queue, job, b.now));
    assert_false(queue_again(b.queue, job, b.now));
    finish(&b, job);
    queue_free(b.queue);
}

static void further_transfers_leave_a_held_host_alone(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.concurrency = 8}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0);
    struct host *extra = more(&b, "a:80");
    struct host_report refused = {
        .verdict = HOST_REFUSED, .failure = WEIR_RATE_LIMITED, .hold_until = b.now + 5 * S};
    assert_true(queue_less(b.queue, 0, extra, &refused, b.now));
    assert_null(more(&b, "a:80"));
    b.now += 6 * S;
    assert_null(more(&b, "a:80")); /* a job is to probe it */
    finish(&b, job);
    queue_free(b.queue);
}

static void held_host_is_left_alone_then_probed_by_one(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){0}, 8);
    put_n(&b, "a:80", 10);
    struct job *job = take(&b, 0);
    assert_true(ends(&b, job, HOST_REFUSED, b.now + 30 * S));
    queue_put_later(b.queue, job, NULL, b.now + 30 * S);
    assert_true(take_nothing(&b, 0) == b.now + 30 * S);
    assert_int_equal(counts(&b).waiting, 10);
    b.now += 30 * S;
    assert_ptr_equal(take(&b, 0), job);
    assert_null(take(&b, 0)); /* one probes, the others wait */
    queue_answered(b.queue, job, b.now);
    struct job *next = take(&b, 0);
    assert_int_equal(next->index, 1); /* open again while the probe's body still flows */
    assert_int_equal(counts(&b).waiting, 0);
    finish(&b, next);
    finish(&b, job);
    queue_free(b.queue);
}

static void jobs_of_a_host_that_is_down_are_handed_out_to_fail(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.rate = 1}, 1);
    put_n(&b, "a:80", 100);
    put_n(&b, "b:80", 1);
    int asked = 0, failed = 0;
    while (failed < 50) {
        struct job *job = take(&b, 0);
        if (!job) {
            b.now = take_nothing(&b, 0);
            continue;
        }
        if (job->host_is_down) {
            failed++;
            finish(&b, job);
            continue;
        }
        asked++;
        if (!strcmp(job->host->authority, "b:80")) {
            finish(&b, job);
            continue;
        }
        b.now += 20 * S;
        ends(&b, job, HOST_UNREACHABLE, 0);
        queue_done(b.queue, job);
    }
    assert_int_equal(asked, 21);
    uint64_t down_since = b.now; /* all fifty failed without waiting for the rate */
    b.now += 61 * S;
    struct job *probe = take(&b, 0);
    assert_false(probe->host_is_down);
    assert_true(b.now > down_since);
    struct job *down = take(&b, 0);
    assert_true(down->host_is_down);
    assert_int_equal(down->down_class, WEIR_CONNECT);
    assert_int_equal(down->down_failures, 20);
    finish(&b, down);
    finish(&b, probe); /* an answer: the host is up */
    b.now += S;
    struct job *job = take(&b, 0);
    assert_false(job->host_is_down);
    finish(&b, job);
    queue_free(b.queue);
}

static void held_host_at_the_head_starves_nobody(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.capacity = 4096, .overflow = true}, 8);
    put_n(&b, "bad:80", 1);
    struct job *job = take(&b, 0);
    ends(&b, job, HOST_REFUSED, b.now + 3600 * S);
    queue_put_later(b.queue, job, NULL, b.now + 3600 * S);
    take_nothing(&b, 0);
    put_n(&b, "bad:80", 100000); /* never AGAIN: what does not fit overflows */
    assert_true(counts(&b).inside <= 2049);
    assert_true(counts(&b).overflowed >= 97000);
    put_n(&b, "good:80", 1000);
    for (int i = 0; i < 1000; i++) {
        struct job *good = take(&b, 0);
        assert_non_null(good);
        assert_string_equal(good->host->authority, "good:80");
        finish(&b, good);
    }
    b.now += 3600 * S;
    finish(&b, job = take(&b, 0));
    for (uint64_t last = 0, i = 1; i <= 100000; i++) {
        job = take(&b, 0);
        assert_non_null(job);
        assert_true(job->index > last);
        last = job->index;
        finish(&b, job);
        struct queue_counts c = counts(&b); /* they come back before the lane runs dry */
        assert_true(c.overflowed == 0 || c.queued >= 1000);
    }
    assert_int_equal(counts(&b).inside + counts(&b).overflowed, 0);
    queue_free(b.queue);
}

static void full_lane_blocks_while_workers_are_busy(void **state)
{
    struct bench b;
    open_bench(&b, (struct queue_env){.capacity = 10, .concurrency = 1, .overflow = true}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0);
    assert_null(take(&b, 0)); /* hungry, but no slot is free: nothing to gain from reading on */
    while (put(&b, "a:80") == OK)
        ;
    assert_int_equal(counts(&b).overflowed, 0);
    finish(&b, job);
    queue_free(b.queue);
}

static void overflow_that_cannot_be_written_blocks_instead(void **state)
{
    struct bench b;
    struct rlimit before, none;
    open_bench(&b, (struct queue_env){.capacity = 10, .overflow = true}, 8);
    put_n(&b, "a:80", 1);
    struct job *job = take(&b, 0);
    ends(&b, job, HOST_REFUSED, b.now + S);
    queue_put_later(b.queue, job, NULL, b.now + S);
    take_nothing(&b, 0);
    setenv("TMPDIR", "/nonexistent", 1);
    while (put(&b, "a:80") == OK)
        ;
    unsetenv("TMPDIR");
    assert_int_equal(counts(&b).inside, 5);
    assert_int_equal(counts(&b).overflowed, 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    none = before;
    none.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &none);
    while (put(&b, "a:80") == OK) /* one block stays in memory, then the disk is full */
        ;
    setrlimit(RLIMIT_FSIZE, &before);
    uint64_t accepted = b.next_index;
    assert_true(accepted > 5 && accepted < 2000);
    b.now += S;
    for (uint64_t i = 0; i < accepted; i++) {
        assert_non_null(job = take(&b, 0));
        assert_int_equal(job->index, i);
        finish(&b, job);
    }
    queue_free(b.queue);
}

static void run_ends_when_no_job_is_live(void **state)
{
    struct bench b;
    struct job *none;
    uint64_t when;
    open_bench(&b, (struct queue_env){.workers = 2}, 8);
    assert_int_equal(queue_enter(b.queue), OK); /* waits for its commit, keeps no worker */
    put_n(&b, "a:80", 2);
    struct job *first = take(&b, 0), *second = take(&b, 0);
    queue_end_of_input(b.queue);
    take_nothing(&b, 1);
    ends(&b, first, HOST_ANSWERED, 0);
    queue_settled(b.queue, first);
    assert_null(first->host);
    ends(&b, second, HOST_SILENT, 0);
    queue_put_later(b.queue, second, NULL, b.now + S);
    assert_true(take_nothing(&b, 1) == b.now + S); /* it may still be needed */
    b.now += S;
    assert_ptr_equal(take(&b, 1), second);
    ends(&b, second, HOST_ANSWERED, 0);
    assert_int_equal(b.drained, 0);
    int before = b.wakes[0];
    queue_settled(b.queue, second);
    assert_int_equal(b.drained, 1);
    assert_int_equal(b.wakes[0], before + 1);
    assert_int_equal(queue_try_take(b.queue, 0, b.now, &none, &when), QUEUE_ENDED);
    assert_int_equal(queue_try_take(b.queue, 1, b.now, &none, &when), QUEUE_ENDED);
    assert_int_equal(counts(&b).inside, 3);
    queue_done(b.queue, first);
    queue_done(b.queue, second);
    queue_done(b.queue, NULL);
    assert_int_equal(counts(&b).inside, 0);
    assert_int_equal(b.drained, 1);
    queue_free(b.queue);
}

static void closed_queue_takes_and_gives_nothing(void **state)
{
    struct bench b;
    struct job *none;
    uint64_t when;
    open_bench(&b, (struct queue_env){0}, 8);
    put_n(&b, "a:80", 3);
    queue_close(b.queue);
    assert_int_equal(b.wakes[0], 1);
    assert_int_equal(queue_try_take(b.queue, 0, b.now, &none, &when), QUEUE_ENDED);
    assert_int_equal(put(&b, "a:80"), WEIR_CANCELLED);
    assert_int_equal(queue_enter(b.queue), WEIR_CANCELLED);
    queue_free(b.queue); /* with what is still inside */
}

static void closed_queue_hands_back_what_is_inside(void **state)
{
    struct bench b;
    uint64_t seen = 0;
    open_bench(&b, (struct queue_env){.capacity = 100, .overflow = true}, 1);
    put_n(&b, "a:80", 10);
    struct job *job = take(&b, 0), *next;
    ends(&b, job, HOST_REFUSED, b.now + S);
    queue_put_later(b.queue, job, NULL, b.now + S);
    take_nothing(&b, 0);
    put_n(&b, "a:80", 200);
    put_n(&b, "b:80", 5);
    struct job *in_flight = take(&b, 0);
    ends(&b, in_flight, HOST_SILENT, 0);
    in_flight->worker = 0;
    queue_put_later(b.queue, in_flight, NULL, 0);
    uint64_t overflowed = counts(&b).overflowed;
    assert_null(queue_rest(b.queue, true)); /* not closed yet */
    queue_close(b.queue);
    for (; (next = queue_rest(b.queue, false)); seen++)
        queue_done(b.queue, next);
    assert_int_equal(seen, 215 - overflowed);
    assert_int_equal(counts(&b).overflowed, overflowed);
    for (; (next = queue_rest(b.queue, true)); seen++)
        queue_done(b.queue, next);
    assert_int_equal(seen, 215);
    assert_int_equal(counts(&b).inside + counts(&b).queued + counts(&b).overflowed, 0);
    queue_free(b.queue);
}

static void settings_of_nothing_are_refused(void **state)
{
    struct queue *q = NULL;
    error err = {0};
    assert_int_equal(queue_open(&q, &(struct queue_env){.capacity = 1, .workers = 1}, &err),
                     WEIR_USAGE);
    assert_null(q);
    assert_non_null(strstr(err.message, "concurrency 0"));
    queue_free(NULL);
    assert_ptr_equal(queue_type_at(0), &queue_lanes);
    assert_null(queue_type_at(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_a_host_come_in_order_and_hosts_in_turn),
        cmocka_unit_test(lane_takes_at_most_half_two_a_third_each),
        cmocka_unit_test(put_says_again_when_full_and_done_makes_room),
        cmocka_unit_test(limits_of_slots_hold),
        cmocka_unit_test(job_put_later_comes_when_due_and_before_untried_ones),
        cmocka_unit_test(jobs_due_at_the_same_instant_keep_their_order),
        cmocka_unit_test(redirect_hop_goes_to_the_other_hosts_lane),
        cmocka_unit_test(further_transfers_get_what_no_job_waits_for),
        cmocka_unit_test(another_request_on_a_slot_obeys_the_rates),
        cmocka_unit_test(further_transfers_leave_a_held_host_alone),
        cmocka_unit_test(held_host_is_left_alone_then_probed_by_one),
        cmocka_unit_test(jobs_of_a_host_that_is_down_are_handed_out_to_fail),
        cmocka_unit_test(held_host_at_the_head_starves_nobody),
        cmocka_unit_test(full_lane_blocks_while_workers_are_busy),
        cmocka_unit_test(overflow_that_cannot_be_written_blocks_instead),
        cmocka_unit_test(run_ends_when_no_job_is_live),
        cmocka_unit_test(closed_queue_takes_and_gives_nothing),
        cmocka_unit_test(closed_queue_hands_back_what_is_inside),
        cmocka_unit_test(settings_of_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
