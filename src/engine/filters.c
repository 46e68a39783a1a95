/* Filters and programs of an engine: compiled when they are given, so that a bad one is known
 * before the first request; see weir.h. The thread that owns the engine, before the run.
 */
#include <stdlib.h>

#include "engine/filters.h"

static status check_before_run(const weir_engine *e, error *err)
{
    if (e->started)
        return fail(err, WEIR_USAGE, "filters are given before the run");
    if (e->setup.patterns || e->setup.program)
        return fail(err, WEIR_USAGE, "an engine has one filter or one program; it has one already");
    return OK;
}

static struct span pattern_text(const weir_pattern *p)
{
    return p->size || !p->text ? (struct span){p->text, p->size} : span_of(p->text);
}

/* False: no memory. A hash of less than all would say of two filters that they are one. */
static bool hash_patterns(uint64_t *out, const weir_filter *filter)
{
    struct strbuf all = {.max = SIZE_MAX / 4};
    for (size_t i = 0; i < filter->pattern_count; i++) {
        struct span text = pattern_text(&filter->patterns[i]);
        strbuf_addf(&all, "%d:%zu:", filter->patterns[i].literal, text.n);
        strbuf_add(&all, text.p, text.n);
    }
    bool whole = !all.failed;
    if (whole)
        *out = hash64(strbuf_text(&all), all.n);
    strbuf_free(&all);
    return whole;
}

weir_status weir_engine_filter(weir_engine *e, const weir_filter *filter, weir_error *err)
{
    status st = check_before_run(e, err);
    if (st)
        return st;
    size_t n = filter->pattern_count;
    uint64_t hash;
    if (!hash_patterns(&hash, filter))
        return fail(err, WEIR_NOMEM, "out of memory for %zu patterns", n);
    struct pattern_spec *specs = calloc(n ? n : 1, sizeof *specs);
    if (!specs)
        return fail(err, WEIR_NOMEM, "out of memory for %zu patterns", n);
    for (size_t i = 0; i < n; i++)
        specs[i] = (struct pattern_spec){.text = pattern_text(&filter->patterns[i]),
                                         .literal = filter->patterns[i].literal,
                                         .origin = filter->patterns[i].origin};
    struct pattern_set *set = NULL;
    st = pattern_set_compile(&set, specs, n, filter->ignore_case, err);
    free(specs);
    if (st)
        return st;
    e->patterns = set;
    e->setup.patterns = set;
    e->setup.filter = *filter;
    e->setup.filter.patterns = NULL;
    e->matcher_hash = hash;
    return OK;
}

weir_status weir_engine_jsonl(weir_engine *e, const char *program, bool raw, weir_error *err)
{
    status st = check_before_run(e, err);
    if (st)
        return st;
    struct json_program *compiled = NULL;
    st = json_program_compile(&compiled, program, raw, err);
    if (st)
        return st;
    e->program = compiled;
    e->setup.program = compiled;
    e->matcher_hash = hash64(program, strlen(program)) ^ raw;
    return OK;
}

void weir_engine_set_with_url(weir_engine *e, bool with_url)
{
    e->setup.filter.with_url = with_url;
}

const char *weir_engine_matcher(const weir_engine *e)
{
    if (e->setup.patterns)
        return pattern_set_engine(e->setup.patterns);
    return e->setup.program ? json_program_engine(e->setup.program) : NULL;
}

const char *weir_stage_name_at(size_t i, const char **help)
{
    const weir_stage_type *type = builtin_stage_at(i);
    if (type && help)
        *help = type->help;
    return type ? type->name : NULL;
}

static status put_bad_record(void *ctx, struct span record, error *err)
{
    weir_engine *e = ctx;
    return stream_writer_put(e->bad_writer, record.p, record.n, err);
}

status filters_open(weir_engine *e, error *err)
{
    const char *bad = e->options->jsonl_bad_records;
    e->setup.max_line = (size_t)e->options->filter_max_line;
    e->setup.bad_records = strcmp(bad, "skip") == 0   ? BAD_SKIP
                           : strcmp(bad, "fail") == 0 ? BAD_FAIL
                                                      : BAD_FILE;
    if (e->setup.bad_records != BAD_FILE || e->dry_run)
        return OK;
    status st = out_file_open(&e->bad_file, bad, err);
    if (!st)
        st = stream_writer_open(&e->bad_writer, out_file_fd(e->bad_file), bad, e->stop_fd, NULL,
                                NULL, err);
    e->setup.bad_record = put_bad_record;
    e->setup.bad_ctx = e;
    return st;
}

status filters_close(weir_engine *e, bool publish, error *err)
{
    status st = OK;
    if (publish && e->bad_writer)
        st = stream_writer_flush(e->bad_writer, err);
    stream_writer_close(e->bad_writer);
    e->bad_writer = NULL;
    if (publish && !st && e->bad_file)
        st = out_file_publish(e->bad_file, e->options->save_durability, err);
    out_file_free(e->bad_file);
    e->bad_file = NULL;
    return st;
}

void filters_free(weir_engine *e)
{
    pattern_set_free(e->patterns);
    json_program_free(e->program);
}
