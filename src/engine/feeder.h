/* The feeder: the one thread that turns records into jobs, in list order.
 *
 * It reads the added jobs and the lists, checks URLs, assigns names, looks at what is on disk
 * already, and puts jobs into the queue, which blocks it when full. Names are assigned here and
 * nowhere else, so that they depend on the list alone.
 */
#ifndef WEIR_ENGINE_FEEDER_H
#define WEIR_ENGINE_FEEDER_H

#include "engine/run.h"

/* Thread main; `arg` is the engine. Ends with queue_end_of_input. */
void *feeder_main(void *arg);

#endif
