/* The stream sink: bytes in order and once, and clear words where that cannot be. On real pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sink/sink.h"
#include "sink/stream_writer.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

struct stream {
    int fds[2];
    struct stream_writer *writer;
    struct sink_env env;
    struct sink *sink;
};

static void no_waiter(void *ctx)
{
}

static void open_stream(struct stream *s)
{
    static const struct sink_spec spec = {.name = "standard output"};
    struct provenance from;
    error err = {0};
    provenance_init(&from);
    assert_int_equal(pipe(s->fds), 0);
    assert_int_equal(
        stream_writer_open(&s->writer, s->fds[1], spec.name, -1, no_waiter, NULL, &err), OK);
    s->env = (struct sink_env){.dirfd = -1, .writer = s->writer};
    assert_int_equal(sink_stream.open(&s->sink, &s->env, &spec, &from, &err), OK);
    assert_int_equal(from.written, 0);
}

static void close_stream(struct stream *s)
{
    sink_stream.close(s->sink);
    stream_writer_close(s->writer);
    close(s->fds[0]);
    close(s->fds[1]);
}

static status begin_at(struct stream *s, int64_t offset, error *err)
{
    struct provenance p;
    provenance_init(&p);
    return sink_stream.begin(s->sink, offset, &p, err);
}

static void bytes_come_out_in_order(void **state)
{
    struct stream s;
    char text[16];
    error errs[1];
    open_stream(&s);
    assert_int_equal(begin_at(&s, 0, errs), OK);
    assert_int_equal(sink_stream.write(s.sink, "ab", 2, errs), OK);
    assert_int_equal(begin_at(&s, 2, errs), OK); /* a retry goes on where it was */
    assert_int_equal(sink_stream.write_at(s.sink, "cd", 2, 2, errs), OK);
    assert_int_equal(sink_stream.offset(s.sink), 4);
    assert_int_equal(sink_stream.write_at(s.sink, "x", 1, 9, errs), WEIR_USAGE);
    assert_int_equal(begin_at(&s, 3, errs), WEIR_USAGE);
    assert_false(sink_stream.full(s.sink));
    assert_int_equal(sink_stream.seal(s.sink, -1, errs), OK);
    sink_stream.publish(&s.sink, 1, &s.env, errs);
    assert_int_equal(errs[0].status, OK);
    assert_int_equal(read(s.fds[0], text, sizeof text), 4);
    assert_memory_equal(text, "abcd", 4);
    close_stream(&s);
}

static void body_that_starts_again_fails_once_bytes_are_out(void **state)
{
    struct stream s;
    error err = {0};
    open_stream(&s);
    assert_int_equal(begin_at(&s, 0, &err), OK);
    assert_int_equal(sink_stream.reset(s.sink, &err), OK); /* nothing was given yet */
    assert_int_equal(sink_stream.write(s.sink, "ab", 2, &err), OK);
    assert_int_equal(sink_stream.reset(s.sink, &err), WEIR_TRUNCATED);
    assert_non_null(strstr(err.message, "changed while it was written to standard output"));
    assert_int_equal(begin_at(&s, 0, &err), WEIR_TRUNCATED);
    close_stream(&s);
}

static void reader_that_has_gone_is_told(void **state)
{
    struct stream s;
    error errs[1];
    signal(SIGPIPE, SIG_IGN);
    open_stream(&s);
    close(s.fds[0]);
    s.fds[0] = dup(s.fds[1]);
    assert_int_equal(begin_at(&s, 0, errs), OK);
    assert_int_equal(sink_stream.write(s.sink, "ab", 2, errs), OK);
    sink_stream.publish(&s.sink, 1, &s.env, errs);
    assert_int_equal(errs[0].status, WEIR_CANCELLED);
    assert_int_equal(sink_stream.write(s.sink, "cd", 2, errs), WEIR_CANCELLED);
    assert_non_null(strstr(errs[0].message, "standard output has gone"));
    close_stream(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_order),
        cmocka_unit_test(body_that_starts_again_fails_once_bytes_are_out),
        cmocka_unit_test(reader_that_has_gone_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
