/* Sends what a program makes up to a URL, without a file: a counter, line by line.
 *
 *   send_callback https://example.org/up/numbers 1000000
 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

struct counter {
    unsigned long next, last;
};

/* Called whenever the connection takes more. */
static weir_status read_lines(void *user, void *data, size_t capacity, size_t *got, weir_error *err)
{
    (void)err;
    struct counter *c = user;
    size_t n = 0;
    while (c->next < c->last && capacity - n > 24)
        n += (size_t)snprintf((char *)data + n, capacity - n, "%lu\n", c->next++);
    *got = n; /* 0: that was all */
    return WEIR_OK;
}

/* It can be made again from the start, so that a failed try is followed by another. */
static weir_status begin_again(void *user, weir_error *err)
{
    (void)err;
    struct counter *c = user;
    c->next = 0;
    return WEIR_OK;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: send_callback URL LINES\n");
        return 2;
    }
    struct counter counter = {0, strtoul(argv[2], NULL, 10)};
    weir_upload upload = {.read = read_lines, .rewind = begin_again, .user = &counter};
    weir_job job = {.url = argv[1], .upload = &upload};
    weir_engine *engine = NULL;
    weir_summary summary = {0};
    weir_error err;
    weir_status st = weir_engine_new(&engine, NULL, &err);
    if (!st) {
        weir_engine_set_upload(engine, true);
        st = weir_engine_add(engine, &job, &err);
    }
    if (!st)
        st = weir_engine_run(engine, &summary, &err);
    if (st)
        fprintf(stderr, "%s\n", err.message);
    weir_engine_free(engine);
    return st ? 3 : weir_exit_code(&summary);
}
