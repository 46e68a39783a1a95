/* The chain thread: every byte in order, what the chain says, and when to pause. The chain is one
 * end that can be held, so that nothing here depends on which thread is faster.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "engine/chain_thread.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define PIECE 16384

struct end {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    bool held;          /* writes wait */
    uint64_t taken;     /* bytes */
    uint64_t answer_at; /* byte from which on `answer` is the answer */
    status answer;
    int wakes;
    bool wrong; /* a byte that was not the next one */
};

static char byte_at(uint64_t at)
{
    return (char)(at * 7 + at / 251);
}

static status end_write(void *ctx, const void *data, size_t size, error *err)
{
    struct end *end = ctx;
    const char *bytes = data;
    pthread_mutex_lock(&end->lock);
    while (end->held)
        pthread_cond_wait(&end->changed, &end->lock);
    for (size_t i = 0; i < size; i++)
        end->wrong |= bytes[i] != byte_at(end->taken + i);
    end->taken += size;
    status st = end->answer && end->taken > end->answer_at ? end->answer : OK;
    pthread_mutex_unlock(&end->lock);
    return st && st != WEIR_END ? (fail)(err, st, "no more at byte %d", (int)end->answer_at) : st;
}

static void wake(void *ctx)
{
    struct end *end = ctx;
    pthread_mutex_lock(&end->lock);
    end->wakes++;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

static void hold(struct end *end, bool held)
{
    pthread_mutex_lock(&end->lock);
    end->held = held;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

static void await_wakes(struct end *end, int n)
{
    pthread_mutex_lock(&end->lock);
    while (end->wakes < n)
        pthread_cond_wait(&end->changed, &end->lock);
    pthread_mutex_unlock(&end->lock);
}

struct fixture {
    struct end end;
    struct chain *chain;
    struct chain_thread *thread;
    uint64_t sent;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pthread_mutex_init(&f->end.lock, NULL);
    pthread_cond_init(&f->end.changed, NULL);
    struct chain_out out = {end_write, &f->end};
    assert_int_equal(chain_open(&f->chain, NULL, 0, NULL, out, NULL), OK);
    f->thread = chain_thread_new(wake, &f->end);
    assert_non_null(f->thread);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    chain_thread_free(f->thread);
    chain_close(f->chain);
    pthread_cond_destroy(&f->end.changed);
    pthread_mutex_destroy(&f->end.lock);
    free(f);
    return 0;
}

static status put(struct fixture *f, size_t size, error *err)
{
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(f->sent + i);
    status st = chain_thread_write(f->thread, f->chain, bytes, size, err);
    f->sent += st ? 0 : size;
    free(bytes);
    return st;
}

static void every_byte_arrives_in_order(void **state)
{
    struct fixture *f = *state;
    error err;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 400; i++)
            assert_int_equal(put(f, 1 + i * 131 % PIECE, &err), OK);
        assert_int_equal(put(f, 3 << 20, &err), OK); /* more than the ring holds */
        assert_int_equal(chain_thread_settle(f->thread, &err), OK);
        assert_int_equal(f->end.taken, f->sent);
        assert_false(f->end.wrong);
    }
    assert_int_equal(f->end.wakes, 0);
}

static void settling_nothing_is_fine(void **state)
{
    struct fixture *f = *state;
    error err;
    assert_int_equal(chain_thread_settle(f->thread, &err), OK);
    assert_false(chain_thread_objects(f->thread));
}

static void objects(struct fixture *f, status answer)
{
    error err;
    f->end.answer = answer;
    f->end.answer_at = 5 * PIECE;
    for (int i = 0; i < 6; i++)
        assert_int_equal(put(f, PIECE, &err), OK);
    await_wakes(&f->end, 1);
    assert_true(chain_thread_objects(f->thread));
    error_clear(&err);
    assert_int_equal(put(f, PIECE, &err), answer);
    uint64_t taken = f->end.taken;
    error_clear(&err);
    assert_int_equal(chain_thread_settle(f->thread, &err), answer);
    assert_int_equal(f->end.taken, taken); /* what came behind was dropped */
    if (answer != WEIR_END)
        assert_string_equal(err.message, "no more at byte 81920");
    assert_false(chain_thread_objects(f->thread));
    assert_int_equal(chain_thread_settle(f->thread, &err), OK); /* it is told once */
}

static void what_fails_is_told_without_another_write(void **state)
{
    objects(*state, WEIR_DECODE);
}

static void what_needs_no_more_is_told_likewise(void **state)
{
    objects(*state, WEIR_END);
}

static void bytes_behind_a_failure_do_not_reach_the_chain(void **state)
{
    struct fixture *f = *state;
    error err;
    f->end.answer = WEIR_DISK;
    hold(&f->end, true);
    for (int i = 0; i < 16; i++)
        assert_int_equal(put(f, PIECE, &err), OK);
    hold(&f->end, false);
    assert_int_equal(chain_thread_settle(f->thread, &err), WEIR_DISK);
    assert_true(f->end.taken <= 64 << 10); /* one piece of the ring at most */
}

static void *put_megabyte(void *fixture)
{
    put(fixture, 1 << 20, NULL);
    return NULL;
}

static void a_full_ring_is_waited_for(void **state)
{
    struct fixture *f = *state;
    pthread_t sender;
    hold(&f->end, true);
    assert_int_equal(pthread_create(&sender, NULL, put_megabyte, f), 0);
    hold(&f->end, false);
    pthread_join(sender, NULL);
    assert_int_equal(chain_thread_settle(f->thread, NULL), OK);
    assert_int_equal(f->end.taken, 1 << 20);
    assert_false(f->end.wrong);
}

static void one_chain_after_another(void **state)
{
    struct fixture *f = *state;
    error err;
    struct fixture other = {.thread = f->thread};
    pthread_mutex_init(&other.end.lock, NULL);
    pthread_cond_init(&other.end.changed, NULL);
    struct chain_out out = {end_write, &other.end};
    assert_int_equal(chain_open(&other.chain, NULL, 0, NULL, out, NULL), OK);
    for (int i = 0; i < 50; i++) {
        struct fixture *one = i % 2 ? f : &other;
        assert_int_equal(put(one, PIECE + 5, &err), OK);
        assert_int_equal(chain_thread_settle(f->thread, &err), OK);
    }
    assert_int_equal(f->end.taken, 25 * (PIECE + 5));
    assert_int_equal(other.end.taken, 25 * (PIECE + 5));
    assert_false(f->end.wrong || other.end.wrong);
    chain_close(other.chain);
    pthread_cond_destroy(&other.end.changed);
    pthread_mutex_destroy(&other.end.lock);
}

int main(void)
{
#define WITH_THREAD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_THREAD(every_byte_arrives_in_order),
        WITH_THREAD(settling_nothing_is_fine),
        WITH_THREAD(what_fails_is_told_without_another_write),
        WITH_THREAD(what_needs_no_more_is_told_likewise),
        WITH_THREAD(bytes_behind_a_failure_do_not_reach_the_chain),
        WITH_THREAD(a_full_ring_is_waited_for),
        WITH_THREAD(one_chain_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
