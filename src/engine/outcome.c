/* Outcomes; see outcome.h. Made by feeder and workers, freed by the commit thread. */
#include "engine/outcome.h"

#include <stdlib.h>

struct outcome *outcome_new(void)
{
    return calloc(1, sizeof(struct outcome));
}

void outcome_free(struct outcome *o)
{
    if (!o)
        return;
    if (o->sink)
        o->sink->type->close(o->sink);
    if (o->tee)
        o->tee->type->close(o->tee);
    free(o->counts);
    free(o->origin);
    free(o->digest);
    provenance_free(&o->held);
    free(o->made_by);
    free(o->path);
    free(o->final_url);
    free(o->error);
    free(o->text);
    free(o->host);
    free(o);
}

void outcome_set_error(struct outcome *o, const error *err)
{
    if (!o->error)
        o->error = malloc(sizeof *o->error);
    if (o->error)
        *o->error = *err;
}

void outcome_set_stopped(struct outcome *o)
{
    error err;
    fail(&err, WEIR_CANCELLED, "the run was stopped before this URL was done");
    outcome_set_error(o, &err);
    o->result = WEIR_FAILED;
    o->silent = true;
}
