/* Signals: one thread that takes them all, and draws the progress while it waits for them.
 */
#ifndef WEIR_CLI_SIGNALS_H
#define WEIR_CLI_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cli/progress.h"
#include "cli/screen.h"

struct signals {
    sigset_t set;
    pthread_t thread;
    bool started;
    atomic_int caught;   /* the first signal that asked us to end, 0 = none */
    atomic_bool running; /* the run has begun: a first signal ends it in good order */
    atomic_bool leave;
    bool starts_over;         /* the bodies go into a stream: a second run goes on with nothing */
    void (*stop)(void *what); /* instead of cancelling the engine; NULL: that */
    void *what;
    weir_engine *engine;
    struct progress *progress;
    struct screen *screen;
};

/* SQLite maps the journal's -shm file into memory; where its pages are lost (the disk has failed)
 * the kernel sends SIGBUS. Then the program says so and ends with EXIT_LOCAL_TROUBLE: like a power
 * cut, which the next run goes on from. */
void signals_tell_lost_pages(void);
/* Blocks the signals for this thread and all that it will start. Call it before any other thread
 * exists. */
void signals_block(struct signals *s);
/* Borrows engine, progress and screen until signals_stop. False: no thread could be started. */
bool signals_start(struct signals *s, weir_engine *engine, struct progress *progress,
                   struct screen *screen);
/* Ends the thread; from then on a signal that asks us to end does so at once. */
void signals_stop(struct signals *s);

/* 128 + the number of the signal that ended the run (a hang-up counts as SIGTERM), 0 = none did. */
int signals_exit_code(const struct signals *s);

#endif
