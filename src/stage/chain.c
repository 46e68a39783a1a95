/* The chain of one fetch; see chain.h and weir/stage.h. Runs on the worker of the fetch.
 *
 * One allocation holds the chain, its stages and their states, so that a file costs one malloc
 * however many stages it has. The first failure sticks until a reset: a stage that ignores what
 * weir_emit answered cannot turn a failed file into a good one.
 *
 * END is no failure: somebody needs no more. All that stands before him is cut off, while what he
 * and those behind him still hold is a part of the result and comes out in chain_finish.
 */
#include "stage/chain.h"

#include <stdalign.h>
#include <stdlib.h>

struct weir_stage {
    const weir_stage_type *type;
    struct chain *chain;
    void *state;
};

struct chain {
    struct chain_out end;
    struct stage_context context;
    size_t n;
    status failed; /* the first failure since the last reset */
    size_t cut;    /* who is handed nothing more: the first `cut` stages, and the end of the chain
                      when it is n + 1 */
    struct weir_stage stages[];
};

static size_t aligned(size_t size)
{
    return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

static status check_type(const weir_stage_type *type, error *err)
{
    if (!type)
        return fail(err, WEIR_USAGE, "a stage type is missing (NULL); pass a table of functions");
    const char *name = type->name ? type->name : "without a name";
    if (type->abi_size < sizeof *type)
        return fail(err, WEIR_USAGE,
                    "stage \"%s\": abi_size is %zu, this library needs %zu; set it to "
                    "sizeof(weir_stage_type)",
                    name, type->abi_size, sizeof *type);
    if (!type->write)
        return fail(err, WEIR_USAGE, "stage \"%s\": write is NULL; every stage needs one", name);
    if ((unsigned)type->phase > WEIR_PHASE_TAP)
        return fail(err, WEIR_USAGE, "stage \"%s\": phase %u is unknown; use a weir_phase", name,
                    (unsigned)type->phase);
    return OK;
}

/* Stages come from other people: one that fails without filling the error must still be named. */
static status check_stage(struct weir_stage *stage, status st, error *err)
{
    if (!st)
        return OK;
    if (err && err->status != st)
        fail(err, st, "stage \"%s\" failed: %s", stage->type->name, weir_status_text(st));
    if (!stage->chain->failed)
        stage->chain->failed = st;
    return stage->chain->failed;
}

static status already_failed(const struct chain *c, error *err)
{
    if (err && err->status != c->failed)
        fail(err, c->failed, "the chain failed before: %s", weir_status_text(c->failed));
    return c->failed;
}

/* Stage `at` (n: the end of the chain) needs no more. Of those who said so the last one counts: a
 * stage before it does but repeat what weir_emit answered. */
static void cut_after(struct chain *c, size_t at)
{
    if (c->cut < at + 1)
        c->cut = at + 1;
}

/* Hands bytes to stage `at`, or with n beyond the last one. */
static status hand_to(struct chain *c, size_t at, const void *data, size_t size, error *err)
{
    if (c->failed)
        return already_failed(c, err);
    if (at < c->cut)
        return WEIR_END;
    if (!size)
        return OK;
    struct weir_stage *stage = &c->stages[at];
    status st = at < c->n ? stage->type->write(stage, data, size, err)
                          : c->end.write(c->end.ctx, data, size, err);
    if (st == WEIR_END)
        cut_after(c, at);
    else if (at < c->n)
        check_stage(stage, st, err);
    else if (st && !c->failed)
        c->failed = st;
    if (c->failed)
        return already_failed(c, err);
    return at < c->cut ? WEIR_END : OK;
}

/* A stable insertion sort: chains are a handful of stages. */
static void place(struct chain *c, const weir_stage_type *type)
{
    size_t at = c->n++;
    for (; at > 0 && c->stages[at - 1].type->phase > type->phase; at--)
        c->stages[at].type = c->stages[at - 1].type;
    c->stages[at].type = type;
}

static void link_stages(struct chain *c, char *states)
{
    for (size_t i = 0; i < c->n; i++) {
        struct weir_stage *stage = &c->stages[i];
        stage->chain = c;
        stage->state = states;
        states += aligned(stage->type->state_size);
    }
}

static void abort_first(struct chain *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c->stages[i].type->abort)
            c->stages[i].type->abort(&c->stages[i]);
    free(c);
}

status chain_open(struct chain **out, const weir_stage_type *const *types, size_t n,
                  const struct stage_context *context, struct chain_out end, error *err)
{
    size_t head = aligned(sizeof(struct chain) + n * sizeof(struct weir_stage)), size = head;
    for (size_t i = 0; i < n; i++) {
        status st = check_type(types[i], err);
        if (st)
            return st;
        size += aligned(types[i]->state_size);
    }
    struct chain *c = calloc(1, size);
    if (!c)
        return fail(err, WEIR_NOMEM, "out of memory: a chain of %zu stages (%zu bytes)", n, size);
    c->end = end;
    if (context)
        c->context = *context;
    for (size_t i = 0; i < n; i++)
        place(c, types[i]);
    link_stages(c, (char *)c + head);

    for (size_t i = 0; i < n; i++) {
        struct weir_stage *stage = &c->stages[i];
        if (!stage->type->open)
            continue;
        status st = stage->type->open(stage, err);
        if (st == WEIR_END)
            cut_after(c, i);
        else if (check_stage(stage, st, err)) {
            abort_first(c, i); /* a stage that did not open has nothing to release */
            return st;
        }
    }
    *out = c;
    return OK;
}

status chain_write(struct chain *c, const void *data, size_t size, error *err)
{
    return hand_to(c, 0, data, size, err);
}

status chain_finish(struct chain *c, error *err)
{
    if (c->failed)
        return already_failed(c, err);
    /* In order: what a stage emits at its end still passes all those behind it. Those before the
     * one that needed no more are not asked: a decoder would complain of half a member. */
    for (size_t i = 0; i < c->n; i++) {
        struct weir_stage *stage = &c->stages[i];
        if (i + 1 < c->cut || !stage->type->finish)
            continue;
        status st = stage->type->finish(stage, err);
        if (st != WEIR_END)
            check_stage(stage, st, err);
        if (c->failed)
            return already_failed(c, err);
    }
    return OK;
}

void chain_reset(struct chain *c)
{
    c->failed = OK;
    c->cut = 0;
    c->context.counts = (struct stage_counts){0};
    c->context.wish = WEIR_NEXT;
    for (size_t i = 0; i < c->n; i++)
        if (c->stages[i].type->reset)
            c->stages[i].type->reset(&c->stages[i]);
}

void chain_close(struct chain *c)
{
    if (c)
        abort_first(c, c->n);
}

struct stage_context *chain_context(weir_stage *stage)
{
    return &stage->chain->context;
}

struct stage_context *chain_file(struct chain *c)
{
    return &c->context;
}

unsigned chain_needs(const weir_stage_type *const *types, size_t n)
{
    unsigned needs = 0;
    for (size_t i = 0; i < n; i++)
        needs |= types[i]->flags;
    return needs;
}

void *weir_stage_state(weir_stage *stage)
{
    return stage->state;
}

weir_file *weir_stage_file(weir_stage *stage)
{
    return stage->chain->context.file;
}

const char *weir_stage_url(weir_stage *stage)
{
    return stage->chain->context.url;
}

void *weir_stage_user(weir_stage *stage)
{
    return stage->chain->context.user;
}

weir_status weir_emit(weir_stage *stage, const void *data, size_t size, weir_error *err)
{
    struct chain *c = stage->chain;
    return hand_to(c, (size_t)(stage - c->stages) + 1, data, size, err);
}
