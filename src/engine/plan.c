/* See plan.h. */
#include "engine/plan.h"

#define DECODED_RATIO 100 /* http.max_decoded_size of what is saved */

bool plan_makes_lines(const struct weir_engine *e)
{
    return e->setup.patterns || e->setup.program;
}

bool plan_one_at_a_time(const struct weir_engine *e)
{
    return e->out_fd >= 0 && (e->in_order || !plan_makes_lines(e));
}

bool plan_saves_files(const struct weir_engine *e)
{
    if (e->sends)
        return false;
    return e->out_fd < 0 || e->save == WEIR_SAVE_BODY || atomic_load(&e->has_body_jobs);
}

static bool looks_at_lines(const struct weir_engine *e, const weir_callbacks *callbacks)
{
    return plan_makes_lines(e) || callbacks->on_line || callbacks->on_record;
}

const char *plan_decode(const struct weir_engine *e, const weir_callbacks *callbacks,
                        const struct options *o)
{
    const char *decode = o->http_decode;
    if (!decode)
        return looks_at_lines(e, callbacks) ? "auto" : NULL;
    return strcmp(decode, "none") == 0 ? NULL : decode;
}

void plan_decode_limits(struct decode_plan *out, const struct weir_engine *e,
                        const struct options *o)
{
    const struct decoded_limit *limit = &o->http_max_decoded_size;
    out->max_bytes = (uint64_t)limit->bytes;
    out->max_ratio = (uint64_t)limit->ratio;
    if (!limit->set && !plan_makes_lines(e))
        out->max_ratio = DECODED_RATIO;
}

static void add(struct plan *plan, const weir_stage_type *type)
{
    if (plan->n < PLAN_STAGES_MAX)
        plan->types[plan->n++] = type;
}

void plan_make(struct plan *plan, const struct weir_engine *e, const weir_callbacks *callbacks,
               const struct options *o)
{
    *plan = (struct plan){0};
    bool decodes = plan_decode(e, callbacks, o) != NULL;
    if (decodes)
        add(plan, &stage_decode);
    if (e->setup.patterns)
        add(plan, &stage_filter);
    if (e->setup.program)
        add(plan, &stage_jsonl);
    if (callbacks->on_line)
        add(plan, &stage_lines);
    if (callbacks->on_record)
        add(plan, &stage_records);
    for (size_t i = 0; i < e->stage_count; i++)
        add(plan, e->stages[i]);
    /* Without a chain the callback is asked directly. */
    if (plan->n && callbacks->on_data)
        add(plan, &stage_data);
    plan->needs = chain_needs(plan->types, plan->n);
    plan->shapes = decodes || plan_makes_lines(e) || e->stage_count > 0;
}

static void add_filter(struct strbuf *out, const struct weir_engine *e)
{
    const weir_filter *f = &e->setup.filter;
    strbuf_addf(out, " filter:%016llx:%d%d%d%d%d%d:%llu:%llu:%llu",
                (unsigned long long)e->matcher_hash, f->ignore_case, f->invert, f->count,
                f->line_number, f->only_matching, f->with_url, (unsigned long long)f->max_count,
                (unsigned long long)f->before, (unsigned long long)f->after);
}

void plan_made_by(struct strbuf *out, const struct weir_engine *e, const weir_callbacks *callbacks,
                  const struct options *o)
{
    struct plan plan;
    plan_make(&plan, e, callbacks, o);
    if (!plan.shapes)
        return;
    const char *decode = plan_decode(e, callbacks, o);
    strbuf_addf(out, "decode:%s", decode ? decode : "none");
    if (e->setup.patterns)
        add_filter(out, e);
    if (e->setup.program)
        strbuf_addf(out, " jsonl:%016llx:%d", (unsigned long long)e->matcher_hash,
                    e->setup.filter.with_url);
    for (size_t i = 0; i < e->stage_count; i++)
        strbuf_addf(out, " stage:%s", e->stages[i]->name ? e->stages[i]->name : "");
}
