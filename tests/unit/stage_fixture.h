/* A built-in stage under test: a body goes in, cut as a test likes, and what comes out is kept.
 *
 * Every piece lies in memory of exactly its size, so that a sanitizer sees a read beyond it; every
 * emit is looked at, since it has to end where a line does.
 */
#ifndef TESTS_STAGE_FIXTURE_H
#define TESTS_STAGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/chain.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

struct stage_run {
    struct stage_setup setup;
    struct stage_tools tools;
    struct stage_context context;
    weir_callbacks callbacks;
    struct pattern_set *patterns;
    struct json_program *program;
    struct strbuf out; /* all that was emitted */
    int emits, torn;
    struct stage_counts counts; /* of the body that went through last */
    weir_next wish;
    error err;
    status written, finished; /* the last answers */
};

static inline void stage_run_init(struct stage_run *r)
{
    memset(r, 0, sizeof *r);
    r->setup.max_line = 1 << 20;
    r->out.max = (size_t)64 << 20;
    r->context.url = "http://a.example/x.log";
    r->tools.setup = &r->setup;
}

static inline void stage_run_free(struct stage_run *r)
{
    stage_tools_close(&r->tools);
    pattern_set_free(r->patterns);
    json_program_free(r->program);
    strbuf_free(&r->out);
}

/* One pattern; the tools of the one before are closed. */
static inline void stage_run_pattern(struct stage_run *r, const char *pattern)
{
    stage_tools_close(&r->tools);
    pattern_set_free(r->patterns);
    r->patterns = NULL;
    struct pattern_spec spec = {.text = span_of(pattern)};
    status st = pattern_set_compile(&r->patterns, &spec, 1, false, &r->err);
    if (st)
        fail_msg("%s: %s", pattern, r->err.message);
    r->setup.patterns = r->patterns;
}

static inline status stage_run_collect(void *ctx, const void *data, size_t size, error *err)
{
    struct stage_run *r = ctx;
    r->emits++;
    r->torn += ((const char *)data)[size - 1] != '\n';
    strbuf_add(&r->out, data, size);
    return OK;
}

static inline status stage_run_write(struct stage_run *r, struct chain *c, const char *p, size_t n)
{
    char *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, p, n);
    r->written = chain_write(c, exact, n, &r->err);
    free(exact);
    return r->written;
}

static inline struct chain *stage_run_open(struct stage_run *r, const weir_stage_type *type)
{
    struct chain *c = NULL;
    strbuf_clear(&r->out);
    error_clear(&r->err);
    r->emits = r->torn = 0;
    r->written = r->finished = OK;
    r->context.setup = &r->setup;
    r->context.tools = &r->tools;
    r->context.callbacks = &r->callbacks;
    struct chain_out end = {stage_run_collect, r};
    status st = chain_open(&c, &type, 1, &r->context, end, &r->err);
    if (st)
        fail_msg("%s", r->err.message);
    return c;
}

static inline void stage_run_close(struct stage_run *r, struct chain *c)
{
    if (r->written == OK || r->written == WEIR_END)
        r->finished = chain_finish(c, &r->err);
    r->counts = chain_file(c)->counts;
    r->wish = chain_file(c)->wish;
    chain_close(c);
}

/* The whole body in pieces of `chunk` bytes (0: in one). */
static inline void stage_run_body(struct stage_run *r, const weir_stage_type *type, const char *p,
                                  size_t n, size_t chunk)
{
    struct chain *c = stage_run_open(r, type);
    for (size_t at = 0, step; at < n && !r->written; at += step) {
        step = chunk && chunk < n - at ? chunk : n - at;
        stage_run_write(r, c, p + at, step);
    }
    stage_run_close(r, c);
}

/* Cut behind byte i where bit i of `cuts` is set. */
static inline void stage_run_cut(struct stage_run *r, const weir_stage_type *type, const char *p,
                                 size_t n, unsigned long cuts)
{
    struct chain *c = stage_run_open(r, type);
    for (size_t from = 0, i = 0; i < n && !r->written; i++) {
        if (i + 1 < n && !(cuts >> i % 60 & 1))
            continue;
        stage_run_write(r, c, p + from, i + 1 - from);
        from = i + 1;
    }
    stage_run_close(r, c);
}

#endif
