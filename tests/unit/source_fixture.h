/* Lists in memory for the tests of source/: a reader that gives them in pieces, records written
 * down for comparison, and lists that are refused as a whole.
 */
#ifndef WEIR_TEST_SOURCE_FIXTURE_H
#define WEIR_TEST_SOURCE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "source/source.h"

/* A reader of memory that gives `piece` bytes at a time, then repeats `tail` for as many bytes as
 * asked, then fails or ends. */
struct memory_reader {
    struct reader head;
    const char *p;
    size_t n, at, piece;
    uint64_t tail_left;
    char tail;
    status trouble;
};

static inline status memory_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct memory_reader *m = (struct memory_reader *)r;
    size_t n = m->n - m->at;
    if (!n && m->tail_left) {
        n = m->tail_left < cap ? (size_t)m->tail_left : cap;
        memset(data, m->tail, n);
        m->tail_left -= n;
        *got = n;
        return OK;
    }
    if (!n && m->trouble)
        return fail(err, m->trouble, "the wire broke");
    n = n < m->piece ? n : m->piece;
    n = n < cap ? n : cap;
    memcpy(data, m->p + m->at, n);
    m->at += n;
    *got = n;
    return OK;
}

static inline status memory_rewind(struct reader *r, error *err)
{
    return fail(err, WEIR_USAGE, "memory cannot rewind");
}

static inline void memory_close(struct reader *r)
{
    free(r);
}

static const struct reader_type memory_type = {"memory", memory_read, memory_rewind, memory_close};

static inline struct memory_reader *memory(const char *p, size_t n, size_t piece)
{
    struct memory_reader *m = calloc(1, sizeof *m);
    *m = (struct memory_reader){.head = {&memory_type}, .p = p, .n = n, .piece = piece};
    return m;
}

static inline struct source *open_list(const char *p, size_t n, size_t piece, const char *format)
{
    struct source *s = NULL;
    error err;
    assert_int_equal(source_open(&s, &memory(p, n, piece)->head, "list", format, &err), OK);
    return s;
}

/* Texts that end in NUL each, and one NUL more. */
static inline void add_texts(struct strbuf *out, const char *title, struct span texts)
{
    const char *p = texts.p;
    while (texts.n && *p) {
        strbuf_addf(out, " %s=%s", title, p);
        p += strlen(p) + 1;
    }
    if (texts.n)
        assert_ptr_equal(p + 1, texts.p + texts.n);
}

/* One line a record, for comparison: LINE url [name=..] [id=..] [size=..] and so on {k=v,..}, and
 * what is said of lines that cannot be read as LINE !url: message. */
static inline void add_record(struct strbuf *out, const struct record *r)
{
    strbuf_addf(out, "%llu %.*s", (unsigned long long)r->line, (int)r->url.n, r->url.p);
    if (r->name.n)
        strbuf_addf(out, " name=%.*s", (int)r->name.n, r->name.p);
    if (r->id.n)
        strbuf_addf(out, " id=%.*s", (int)r->id.n, r->id.p);
    if (r->size >= 0)
        strbuf_addf(out, " size=%lld", (long long)r->size);
    add_texts(out, "mirror", r->mirrors);
    add_texts(out, "digest", r->digests);
    add_texts(out, "header", r->headers);
    if (r->method.n)
        strbuf_addf(out, " method=%.*s", (int)r->method.n, r->method.p);
    if (r->body.p)
        strbuf_addf(out, " body=%.*s", (int)r->body.n, r->body.p);
    if (r->warning)
        strbuf_addf(out, " warning=%s", r->warning);
    const char *p = r->extra.p, *end = p + r->extra.n;
    while (r->extra.n && *p) {
        const char *value = p + strlen(p) + 1;
        strbuf_addf(out, " {%s=%s}", p, value);
        p = value + strlen(value) + 1;
    }
    if (r->extra.n)
        assert_ptr_equal(p + 1, end);
    strbuf_addc(out, '\n');
}

static inline void read_records(struct source *s, struct strbuf *out, status end)
{
    for (;;) {
        struct record r;
        error err = {0};
        memset(&r, 0xa5, sizeof r);
        status st = source_next(s, &r, &err);
        if (st == OK)
            add_record(out, &r);
        else if (st == WEIR_INPUT && r.line) {
            assert_true(r.url.n <= 512 && !r.name.n && !r.id.n && r.size == -1 && !r.mirrors.n);
            assert_true(!r.digests.n && !r.headers.n && !r.extra.n && !r.warning && !r.body.p);
            strbuf_addf(out, "%llu !%.*s: %s\n", (unsigned long long)r.line, (int)r.url.n,
                        r.url.n ? r.url.p : "", err.message);
        } else {
            assert_int_equal(st, end);
            return;
        }
    }
}

/* Reads the list in pieces of many sizes and expects the same records each time. */
static inline void expect_records(const char *p, size_t n, const char *format, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 1000000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct source *s = open_list(p, n, pieces[i], format);
        struct strbuf out = {0};
        read_records(s, &out, WEIR_END);
        read_records(s, &out, WEIR_END); /* it stays at its end */
        assert_string_equal(strbuf_text(&out), expected);
        strbuf_free(&out);
        source_close(s);
    }
}

/* Digests of the right length. */
#define HEX16 "0123456789abcdef"
#define MD5_HEX HEX16 HEX16
#define SHA1_HEX HEX16 HEX16 "01234567"
#define SHA256_HEX HEX16 HEX16 HEX16 HEX16
#define SHA512_HEX SHA256_HEX SHA256_HEX

#define EXPECT(list, format, expected) expect_records(list, sizeof(list) - 1, format, expected)

static inline void expect_refused(const char *list, const char *format, status expected,
                                  const char *part)
{
    struct source *s = NULL;
    error err;
    struct memory_reader *m = memory(list, strlen(list), 5);
    assert_int_equal(source_open(&s, &m->head, "list", format, &err), expected);
    assert_null(s);
    if (!strstr(err.message, part))
        assert_string_equal(err.message, part); /* shows both */
}

/* The format that a list is taken for. */
static inline const char *chosen(const char *list)
{
    struct source *s = open_list(list, strlen(list), 1000, "");
    const char *name = s->type->name;
    source_close(s);
    return name;
}

#endif
