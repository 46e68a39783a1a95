/* The writer of a stream: order, back-pressure, and a reader that goes away. Real pipes and
 * threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sink/stream_writer.h"

/* Last: it takes the name "fail". */
#include <cmocka.h>

static void post_room(void *ctx)
{
    sem_post(ctx);
}

static unsigned char byte_at(uint64_t i)
{
    uint64_t x = (i / 8 + 1) * 0x9E3779B97F4A7C15ull;
    return (unsigned char)(x >> (i % 8 * 8));
}

struct reading {
    int fd;
    uint64_t got;
    bool wrong;
};

static void *read_all(void *arg)
{
    struct reading *r = arg;
    static unsigned char chunk[70000];
    ssize_t n;
    while ((n = read(r->fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < n; i++, r->got++)
            r->wrong |= chunk[i] != byte_at(r->got);
    return NULL;
}

static void bytes_arrive_in_order_and_a_full_ring_says_so(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    sem_t room;
    sem_init(&room, 0, 0);
    struct stream_writer *w = NULL;
    error err;
    assert_int_equal(stream_writer_open(&w, fds[1], "pipe", -1, post_room, &room, &err), WEIR_OK);
    unsigned char chunk[16384];
    uint64_t put = 0;
    /* Nobody reads yet: it must become full, and still take what comes behind. */
    while (!stream_writer_full(w)) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = byte_at(put + i);
        assert_int_equal(stream_writer_put(w, chunk, sizeof chunk, &err), WEIR_OK);
        put += sizeof chunk;
        assert_true(put < 8u << 20);
    }
    struct reading r = {.fd = fds[0]};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all, &r), 0);
    while (put < 6u << 20) {
        if (stream_writer_full(w)) {
            sem_wait(&room); /* hangs, and so fails by its time limit, when nobody tells of room */
            continue;
        }
        for (size_t i = 0; i < 1000; i++)
            chunk[i] = byte_at(put + i);
        assert_int_equal(stream_writer_put(w, chunk, 1000, &err), WEIR_OK);
        put += 1000;
    }
    assert_int_equal(stream_writer_flush(w, &err), WEIR_OK);
    assert_false(stream_writer_reader_gone(w));
    stream_writer_close(w);
    close(fds[1]);
    pthread_join(reader, NULL);
    assert_int_equal(r.got, put);
    assert_false(r.wrong);
    close(fds[0]);
    sem_destroy(&room);
}

static void a_reader_that_goes_away_is_an_error_not_a_signal(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    sem_t room;
    sem_init(&room, 0, 0);
    struct stream_writer *w = NULL;
    error err;
    assert_int_equal(stream_writer_open(&w, fds[1], "pipe", -1, post_room, &room, &err), WEIR_OK);
    close(fds[0]);
    char chunk[1000] = {0};
    status st = stream_writer_put(w, chunk, sizeof chunk, &err);
    if (!st)
        st = stream_writer_flush(w, &err);
    assert_int_equal(st, WEIR_CANCELLED);
    assert_true(stream_writer_reader_gone(w));
    assert_non_null(strstr(err.message, "pipe"));
    stream_writer_close(w);
    close(fds[1]);
    sem_destroy(&room);
}

static void a_stop_ends_a_write_that_waits_for_its_reader(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int stop_fd = eventfd(0, EFD_NONBLOCK);
    sem_t room;
    sem_init(&room, 0, 0);
    struct stream_writer *w = NULL;
    error err;
    assert_int_equal(stream_writer_open(&w, fds[1], "pipe", stop_fd, post_room, &room, &err),
                     WEIR_OK);
    char chunk[16384] = {0};
    while (!stream_writer_full(w)) /* nobody reads: the pipe is full, and the ring is filling */
        assert_int_equal(stream_writer_put(w, chunk, sizeof chunk, &err), WEIR_OK);
    uint64_t one = 1;
    assert_int_equal(write(stop_fd, &one, sizeof one), sizeof one);
    assert_int_equal(stream_writer_flush(w, &err), WEIR_CANCELLED);
    assert_false(stream_writer_reader_gone(w));
    stream_writer_close(w);
    close(stop_fd);
    close(fds[0]);
    close(fds[1]);
    sem_destroy(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_and_a_full_ring_says_so),
        cmocka_unit_test(a_stop_ends_a_write_that_waits_for_its_reader),
        cmocka_unit_test(a_reader_that_goes_away_is_an_error_not_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
