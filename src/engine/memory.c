/* One small body in memory; see weir_get_memory in weir.h. An engine of its own, with one job. */
#include <stdlib.h>

#include "core/text.h"
#include "engine/run.h"

struct body {
    struct strbuf bytes;
    size_t most;
    bool too_large;
    status st;
    error *err;
};

static weir_next body_data(weir_file *file, const void *data, size_t size, void *user)
{
    struct body *b = user;
    if (size > b->most - b->bytes.n) {
        b->too_large = true;
        return WEIR_STOP_FILE;
    }
    strbuf_add(&b->bytes, data, size);
    return b->bytes.failed ? WEIR_STOP_FILE : WEIR_NEXT;
}

static void body_reset(weir_file *file, void *user)
{
    struct body *b = user;
    strbuf_clear(&b->bytes);
}

static void body_end(const weir_result *result, void *user)
{
    struct body *b = user;
    if (result->outcome == WEIR_DONE)
        return;
    b->st = result->error->status ? result->error->status : WEIR_CANCELLED;
    if (b->err)
        *b->err = *result->error;
}

weir_status weir_get_memory(const char *url, size_t max_bytes, weir_config *config, char **out,
                            size_t *size, weir_error *err)
{
    static const weir_callbacks callbacks = {
        .on_data = body_data, .on_reset = body_reset, .on_end = body_end};
    struct body b = {.most = max_bytes, .err = err};
    b.bytes.max = max_bytes + 1;
    weir_engine *engine = NULL;
    weir_job job = {.url = url, .save = WEIR_SAVE_NO, .callbacks = &callbacks, .user = &b};
    status st = weir_engine_new(&engine, config, err);
    if (!st)
        st = weir_engine_add(engine, &job, err);
    if (!st) {
        engine_without_reports(engine);
        st = weir_engine_run(engine, NULL, err);
    }
    weir_engine_free(engine);
    if (!st && b.too_large)
        st = fail(err, WEIR_POLICY, "%s: the body is larger than %zu bytes", url, max_bytes);
    if (!st && b.bytes.failed)
        st = fail(err, WEIR_NOMEM, "out of memory");
    if (!st)
        st = b.st;
    if (!st && !b.bytes.p) { /* an empty body is a body */
        b.bytes.p = calloc(1, 1);
        st = b.bytes.p ? OK : fail(err, WEIR_NOMEM, "out of memory");
    }
    if (st) {
        strbuf_free(&b.bytes);
        return st;
    }
    *out = b.bytes.p;
    *size = b.bytes.n;
    return OK;
}
