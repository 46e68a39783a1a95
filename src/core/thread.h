/* Threads of the engine.
 *
 * Lock order, outermost first: engine->lock, queue, worker->lock, commit inbox, stream writer. No
 * callback of a user's and no file I/O happens under any of them, except that the queue reads and
 * writes blocks of its own overflow file.
 */
#ifndef WEIR_CORE_THREAD_H
#define WEIR_CORE_THREAD_H

#include <pthread.h>

/* pthread_create with all signals blocked: they belong to the program, and a write to a closed
 * socket or pipe is an error here, never a signal. 0 or errno. */
int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);

#endif
