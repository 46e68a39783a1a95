/* Filters and programs of an engine, and the file of bad records; see weir.h.
 */
#ifndef WEIR_ENGINE_FILTERS_H
#define WEIR_ENGINE_FILTERS_H

#include "engine/out_file.h"
#include "engine/run.h"
#include "sink/stream_writer.h"

/* Before the threads start: fills what the options say into engine->setup, and opens the file of
 * bad records where one is wanted. */
status filters_open(struct weir_engine *engine, error *err);
/* After they have ended. `publish`: the run ended by itself. */
status filters_close(struct weir_engine *engine, bool publish, error *err);
/* With the engine. */
void filters_free(struct weir_engine *engine);

#endif
