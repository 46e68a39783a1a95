/* A program that makes its URLs while the run goes on, and watches it: one thread adds jobs, the
 * main thread runs the engine, a third prints the counters once a second.
 *
 *   some-program | feed_jobs DIR        one "URL" or "URL NAME" a line
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

struct watch {
    weir_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool stop; /* guarded by lock */
};

static void *feed(void *arg)
{
    weir_engine *engine = arg;
    weir_error err;
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char *save = NULL;
        weir_job job = {.url = strtok_r(line, " \t\r\n", &save)};
        if (!job.url)
            continue;
        job.name = strtok_r(NULL, " \t\r\n", &save);
        weir_status st = weir_engine_add(engine, &job, &err); /* waits while the queue is full */
        if (st == WEIR_OK)
            continue;
        fprintf(stderr, "feed_jobs: %s\n", err.message);
        if (st != WEIR_INPUT) /* a line that is no URL spoils only itself */
            break;
    }
    weir_engine_finish(engine);
    return NULL;
}

static void *watch(void *arg)
{
    struct watch *w = arg;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        until.tv_sec++;
        if (pthread_cond_timedwait(&w->ended, &w->lock, &until) != ETIMEDOUT)
            continue;
        weir_stats s;
        weir_engine_stats(w->engine, &s);
        fprintf(stderr, "%" PRIu64 " done, %d in flight, %d waiting, %" PRId64 " bytes\n", s.done,
                s.in_flight, s.waiting, s.bytes);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Runs the engine between its two helpers. They end before it does: feed when its input is over or
 * the run has been stopped, watch when it is told. */
static weir_status run(weir_engine *engine, weir_summary *summary, weir_error *err)
{
    struct watch w = {
        .engine = engine, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    pthread_t feeder, watcher;
    weir_engine_keep_open(engine);
    if (pthread_create(&feeder, NULL, feed, engine) || pthread_create(&watcher, NULL, watch, &w)) {
        fprintf(stderr, "feed_jobs: no thread could be started\n");
        _Exit(2);
    }
    weir_status st = weir_engine_run(engine, summary, err);
    pthread_mutex_lock(&w.lock);
    w.stop = true;
    pthread_cond_signal(&w.ended);
    pthread_mutex_unlock(&w.lock);
    pthread_join(watcher, NULL);
    pthread_join(feeder, NULL);
    return st;
}

int main(int argc, char **argv)
{
    weir_config *config = NULL;
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    weir_status st = WEIR_OK;

    if (argc != 2) {
        fprintf(stderr, "usage: feed_jobs DIR < LINES\n");
        return 2;
    }
    if ((st = weir_config_new(&config, &err)) == WEIR_OK &&
        (st = weir_config_set(config, "save.dir", argv[1], &err)) == WEIR_OK &&
        (st = weir_engine_new(&engine, config, &err)) == WEIR_OK)
        st = run(engine, &summary, &err);
    if (st != WEIR_OK)
        fprintf(stderr, "feed_jobs: %s\n", err.message);
    else
        printf("%" PRIu64 " done, %" PRIu64 " skipped, %" PRIu64 " failed\n", summary.stats.done,
               summary.stats.skipped, summary.stats.failed);
    weir_engine_free(engine);
    weir_config_free(config);
    return st == WEIR_OK ? weir_exit_code(&summary) : 2;
}
