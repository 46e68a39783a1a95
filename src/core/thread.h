/* Threads of the engine.
 *
 * Lock order, outermost first: engine->lock, queue, worker->lock, commit inbox, stream writer. No
 * callback of a user's and no file I/O happens under any of them, except that the queue reads and
 * writes blocks of its own overflow file.
 */
#ifndef WEIR_CORE_THREAD_H
#define WEIR_CORE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Blocks the signals that others send: they belong to the program. Those that tell of a fault of
 * this thread's own stay, so that a program's crash handler is asked. */
int thread_block_signals(sigset_t *before);

/* pthread_create with signals blocked: a write to a closed socket or pipe is an error here, never a
 * signal. 0 or errno. */
int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);

#endif
