/* Starting threads; see thread.h. */
#include "core/thread.h"

int thread_block_signals(sigset_t *before)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t most;
    sigfillset(&most);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&most, own_faults[i]);
    return pthread_sigmask(SIG_SETMASK, &most, before);
}

int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg)
{
    sigset_t before;
    int rc = thread_block_signals(&before);
    if (rc)
        return rc;
    rc = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
