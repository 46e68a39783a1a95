/* The stage behind on_data: gives the decoded body to the callback and passes it on. Worker of the
 * file.
 */
#include "stage/chain.h"

struct data_stage {
    bool enough; /* the callback wants no more of this file */
};

static weir_status data_write(weir_stage *stage, const void *data, size_t size, weir_error *err)
{
    struct data_stage *s = weir_stage_state(stage);
    struct stage_context *c = chain_context(stage);
    if (!s->enough && c->callbacks->on_data) {
        weir_next next = c->callbacks->on_data(c->file, data, size, c->user);
        if (next != WEIR_NEXT)
            c->wish = next;
        s->enough = next == WEIR_ENOUGH;
        if (next == WEIR_STOP_FILE || next == WEIR_STOP_RUN)
            return fail(err, WEIR_CANCELLED, "stopped by the program");
    }
    return weir_emit(stage, data, size, err);
}

static void data_reset(weir_stage *stage)
{
    struct data_stage *s = weir_stage_state(stage);
    s->enough = false;
}

const weir_stage_type stage_data = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct data_stage),
    .name = "data",
    .help = "gives the body to on_data",
    .phase = WEIR_PHASE_DECODE,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .write = data_write,
    .reset = data_reset,
};
