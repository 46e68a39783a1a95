/* Clocks, the random generator, and the reader of descriptors. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "core/clock.h"
#include "core/reader.h"

static void clock_now_never_goes_back(void **state)
{
    uint64_t before = clock_now();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now();
        assert_true(now >= before);
        before = now;
    }
    assert_true(before < TIME_NEVER);
}

static void clock_wall_counts_from_the_epoch(void **state)
{
    int64_t before = time(NULL), now = clock_wall_s();
    assert_true(now >= before - 1 && now <= time(NULL) + 1);
}

static void rng_repeats_with_a_seed_and_differs_without(void **state)
{
    struct rng a, b;
    rng_seed(&a, 7);
    rng_seed(&b, 7);
    for (int i = 0; i < 100; i++)
        assert_true(rng_next(&a) == rng_next(&b));
    rng_seed(&b, 8);
    assert_true(rng_next(&a) != rng_next(&b));
    rng_seed(&a, 0);
    rng_seed(&b, 0);
    assert_true(rng_next(&a) != rng_next(&b));
}

/* From the state 1, 2, 3, 4 the first numbers of xoshiro256** are known. */
static void rng_is_xoshiro256(void **state)
{
    struct rng r = {{1, 2, 3, 4}};
    assert_true(rng_next(&r) == 11520);
    assert_true(rng_next(&r) == 0);
    assert_true(rng_next(&r) == 1509978240);
    assert_true(rng_next(&r) == 1215971899390074240);
}

static void rng_below_stays_below_and_reaches_all(void **state)
{
    struct rng r;
    rng_seed(&r, 1);
    assert_int_equal(rng_below(&r, 0), 0);
    assert_int_equal(rng_below(&r, 1), 0);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    for (int i = 0; i < 1000; i++)
        assert_true(rng_below(&r, UINT64_MAX / 2 + 2) <= UINT64_MAX / 2 + 1);
}

static int file_of(const char *text)
{
    char path[] = "/tmp/weir-reader-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static size_t read_all(struct reader *r, char *out, size_t cap)
{
    size_t n = 0, got = 1;
    while (got) {
        error err;
        assert_int_equal(r->type->read(r, out + n, cap - n, &got, &err), OK);
        n += got;
    }
    return n;
}

static void reader_rewinds_to_where_it_was_opened(void **state)
{
    int fd = file_of("0123456789");
    lseek(fd, 3, SEEK_SET);
    struct reader *r;
    error err;
    char text[32];
    assert_int_equal(reader_open_fd(&r, fd, true, "list", &err), OK);
    assert_int_equal(read_all(r, text, sizeof text), 7);
    assert_int_equal(r->type->rewind(r, &err), OK);
    assert_int_equal(read_all(r, text, sizeof text), 7);
    assert_memory_equal(text, "3456789", 7);
    reader_close(r);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void reader_of_a_pipe_cannot_rewind(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader *r;
    error err;
    assert_int_equal(reader_open_fd(&r, fds[0], false, "pipe", &err), OK);
    assert_int_equal(r->type->rewind(r, &err), WEIR_USAGE);
    reader_close(r);
    assert_int_not_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[0]);
    close(fds[1]);
}

static void reader_waits_on_a_non_blocking_pipe(void **state)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(write(fds[1], "late", 4) == 4 ? 0 : 1);
    close(fds[1]);
    struct reader *r;
    error err;
    char text[8];
    assert_int_equal(reader_open_fd(&r, fds[0], true, "pipe", &err), OK);
    assert_int_equal(read_all(r, text, sizeof text), 4);
    reader_close(r);
}

static void reader_errors_name_the_file_and_the_cause(void **state)
{
    struct reader *r = NULL;
    error err;
    assert_int_equal(reader_open_path(&r, "/nonexistent/list.txt", &err), WEIR_USAGE);
    assert_non_null(strstr(err.message, "/nonexistent/list.txt"));
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(reader_open_path(&r, "/tmp", &err), WEIR_USAGE);
    assert_non_null(strstr(err.message, "folder"));
    assert_null(r);
    int fd = open("/dev/null", O_WRONLY);
    char c;
    size_t got;
    assert_int_equal(reader_open_fd(&r, fd, true, "write only", &err), OK);
    assert_int_equal(r->type->read(r, &c, 1, &got, &err), WEIR_DISK);
    assert_non_null(strstr(err.message, "write only: reading failed at byte 0"));
    reader_close(r);
    reader_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_now_never_goes_back),
        cmocka_unit_test(clock_wall_counts_from_the_epoch),
        cmocka_unit_test(rng_repeats_with_a_seed_and_differs_without),
        cmocka_unit_test(rng_is_xoshiro256),
        cmocka_unit_test(rng_below_stays_below_and_reaches_all),
        cmocka_unit_test(reader_rewinds_to_where_it_was_opened),
        cmocka_unit_test(reader_of_a_pipe_cannot_rewind),
        cmocka_unit_test(reader_waits_on_a_non_blocking_pipe),
        cmocka_unit_test(reader_errors_name_the_file_and_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
