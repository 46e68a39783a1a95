/* Lines from chunks: whatever the body, the limit and the cuts are, the same lines come as from a
 * plain look at the whole. Input: max_line, then cuts (a size, until a 0), then the body.
 */
#include <stdlib.h>

#include "fuzz_must.h"
#include "stage/line_splitter.h"
#include "stage/newline_count.h"

#define CUTS_MAX 16

struct expected {
    struct span body;
    size_t at, max_line;
    size_t lines;
};

/* The next line of the plain look; false: there is none. */
static bool next_line(struct expected *e, struct span *line)
{
    if (e->at >= e->body.n)
        return false;
    size_t from = e->at;
    while (e->at < e->body.n && e->body.p[e->at] != '\n')
        e->at++;
    *line = (struct span){e->body.p + from, e->at - from};
    e->at++;
    e->lines++;
    return true;
}

static status take_block(void *ctx, struct span block, size_t readable, error *err)
{
    struct expected *e = ctx;
    must(block.n > 0 && readable >= block.n && block.p[block.n - 1] == '\n');
    volatile unsigned char sum = 0; /* a sanitizer sees what must not be read */
    for (size_t i = 0; i < readable; i++)
        sum = (unsigned char)(sum + (unsigned char)block.p[i]);
    size_t before = e->lines;
    const char *end = block.p + block.n, *next;
    for (const char *p = block.p; p < end; p = next) {
        struct span want;
        next = end_of_line(p, end);
        must(next_line(e, &want) && want.n <= e->max_line);
        must((size_t)(next - 1 - p) == want.n && memcmp(p, want.p, want.n) == 0);
    }
    must(count_newlines(block.p, block.n) == e->lines - before);
    return OK;
}

static status take_too_long(void *ctx, error *err)
{
    struct expected *e = ctx;
    struct span want;
    must(next_line(e, &want) && want.n > e->max_line);
    return OK;
}

static void write_exact(struct line_splitter *s, const char *p, size_t n,
                        const struct line_out *out)
{
    char *exact = malloc(n ? n : 1);
    must(exact != NULL);
    memcpy(exact, p, n);
    must(line_splitter_write(s, exact, n, out, NULL) == OK);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t max_line = data[0] < 250 ? data[0] : (size_t)1 << 20, at = 1, cuts = 0;
    size_t cut[CUTS_MAX];
    while (at < size && data[at] && cuts < CUTS_MAX)
        cut[cuts++] = data[at++];
    at += at < size;

    struct expected e = {.body = {(const char *)data + at, size - at}, .max_line = max_line};
    struct line_out out = {take_block, take_too_long, &e};
    struct line_splitter s;
    line_splitter_init(&s, max_line);
    size_t from = 0;
    for (size_t i = 0; from < e.body.n; i++) {
        size_t left = e.body.n - from;
        size_t n = cuts && cut[i % cuts] < left ? cut[i % cuts] : left;
        write_exact(&s, e.body.p + from, n, &out);
        from += n;
    }
    must(line_splitter_finish(&s, &out, NULL) == OK);
    struct span rest;
    must(!next_line(&e, &rest));
    line_splitter_free(&s);
    return 0;
}
