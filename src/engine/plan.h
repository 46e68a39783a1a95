/* The plan of a file: which stages its chain has, in front of which sinks, and what that asks of
 * its transfers. Pure; any thread.
 */
#ifndef WEIR_ENGINE_PLAN_H
#define WEIR_ENGINE_PLAN_H

#include "engine/run.h"

#define PLAN_STAGES_MAX 32

struct plan {
    const weir_stage_type *types[PLAN_STAGES_MAX];
    size_t n;       /* 0: no chain, the body goes as it comes */
    unsigned needs; /* WEIR_STAGE_NEEDS_* */
    bool shapes;    /* what comes out is not the body as sent */
};

void plan_make(struct plan *plan, const struct weir_engine *e, const weir_callbacks *callbacks,
               const struct options *o);

/* What http.decode means here: "auto", the name of a decoder, or NULL for none. */
const char *plan_decode(const struct weir_engine *e, const weir_callbacks *callbacks,
                        const struct options *o);
/* The limits of http.max_decoded_size; `saved`: the result goes to a file. */
void plan_decode_limits(struct decode_plan *out, const struct weir_engine *e,
                        const struct options *o);

/* Is there a filter or a program, so that what comes out are whole lines? */
bool plan_makes_lines(const struct weir_engine *e);
/* Bodies of a stream come one after the other: whole, or in list order where that is wanted. */
bool plan_one_at_a_time(const struct weir_engine *e);
/* Does this run make files in save.dir? */
bool plan_saves_files(const struct weir_engine *e);

/* What made a file that is not the body as sent, for its attribute: the same for the same filter,
 * program and stages in every run. Empty: the body as sent. */
void plan_made_by(struct strbuf *out, const struct weir_engine *e, const weir_callbacks *callbacks,
                  const struct options *o);

#endif
