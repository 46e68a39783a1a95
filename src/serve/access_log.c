/* See access_log.h. */
#include "serve/access_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/text.h"
#include "core/thread.h"
#include "report/line_writer.h"

#define ROOM ((size_t)256 << 10)

struct access_log {
    struct access_log_setup setup;
    struct line_writer writer; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct strbuf waiting; /* whole lines */
    uint64_t lost;
    bool closing;
};

/* ---- lines ---- */

/* Within double quotes: quotes, backslashes and all that is no printable ASCII as \xNN, so that no
 * request can forge a line or move a terminal's cursor. */
static void add_quoted(struct strbuf *out, const char *text)
{
    strbuf_addc(out, '"');
    if (!text)
        strbuf_addc(out, '-');
    for (const unsigned char *c = (const unsigned char *)(text ? text : ""); *c; c++) {
        if (*c == '"' || *c == '\\' || *c < ' ' || *c > '~')
            strbuf_addf(out, "\\x%02x", *c);
        else
            strbuf_addc(out, (char)*c);
    }
    strbuf_addc(out, '"');
}

static void add_combined(struct strbuf *out, const weir_request *r)
{
    char when[64] = "-", line[64];
    time_t now = time(NULL);
    struct tm tm;
    if (localtime_r(&now, &tm))
        strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S %z", &tm);
    strbuf_addf(out, "%s - - [%s] ", r->client, when);
    struct strbuf request = {0};
    strbuf_addf(&request, "%s %s %s", r->method, r->target, r->protocol);
    add_quoted(out, strbuf_text(&request));
    strbuf_free(&request);
    snprintf(line, sizeof line, " %d %" PRId64 " ", r->status, r->bytes);
    strbuf_adds(out, line);
    add_quoted(out, r->referer);
    strbuf_addc(out, ' ');
    add_quoted(out, r->user_agent);
    strbuf_addc(out, '\n');
}

static void add_member(struct strbuf *out, const char *name, const char *value)
{
    if (!value)
        return;
    strbuf_addf(out, ",\"%s\":", name);
    strbuf_add_json(out, span_of(value));
}

static void add_json(struct strbuf *out, const weir_request *r)
{
    char when[64] = "";
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    strbuf_addf(out, "{\"time\":\"%s.%03ldZ\"", when, now.tv_nsec / 1000000);
    add_member(out, "client", r->client);
    add_member(out, "method", r->method);
    add_member(out, "target", r->target);
    add_member(out, "protocol", r->protocol);
    strbuf_addf(out, ",\"status\":%d,\"bytes\":%" PRId64 ",\"ms\":%" PRId64 ",\"aborted\":%s",
                r->status, r->bytes, r->duration_ms, r->aborted ? "true" : "false");
    add_member(out, "range", r->range);
    add_member(out, "referer", r->referer);
    add_member(out, "user_agent", r->user_agent);
    strbuf_adds(out, "}\n");
}

void access_log_add(struct access_log *log, const weir_request *r)
{
    struct strbuf line = {0};
    if (log->setup.json)
        add_json(&line, r);
    else
        add_combined(&line, r);
    pthread_mutex_lock(&log->lock);
    if (line.failed || log->waiting.n + line.n > ROOM)
        log->lost++;
    else
        strbuf_add(&log->waiting, line.p, line.n);
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->lock);
    strbuf_free(&line);
}

/* ---- the thread ---- */

static void warn(struct access_log *log, const char *text)
{
    if (log->setup.warn)
        log->setup.warn(log->setup.owner, text);
}

/* False: nothing can be written any more, and that has been said. */
static bool write_out(struct access_log *log, bool working, uint64_t lost)
{
    error err;
    char text[640];
    if (working && line_writer_flush(&log->writer, &err)) {
        snprintf(text, sizeof text, "the access log ends here: %s", err.message);
        warn(log, text);
        return false;
    }
    if (working && lost) {
        snprintf(text, sizeof text,
                 "%" PRIu64 " line%s of the access log left out: it cannot be written fast enough",
                 lost, lost == 1 ? "" : "s");
        warn(log, text);
    }
    return working;
}

static void *run(void *argument)
{
    struct access_log *log = argument;
    bool working = true, closing = false;
    while (!closing) {
        pthread_mutex_lock(&log->lock);
        while (!log->waiting.n && !log->closing)
            pthread_cond_wait(&log->changed, &log->lock);
        struct strbuf empty = log->writer.pending;
        log->writer.pending = log->waiting;
        log->waiting = empty;
        strbuf_clear(&log->waiting);
        uint64_t lost = log->lost;
        log->lost = 0;
        closing = log->closing;
        pthread_mutex_unlock(&log->lock);
        working = write_out(log, working, lost);
        strbuf_clear(&log->writer.pending);
    }
    return NULL;
}

status access_log_open(struct access_log **out, const struct access_log_setup *setup, error *err)
{
    struct access_log *log = calloc(1, sizeof *log);
    if (!log)
        return fail(err, WEIR_NOMEM, "out of memory for the access log");
    log->setup = *setup;
    status st = line_writer_open(&log->writer, setup->path, O_APPEND, err);
    if (st) {
        free(log);
        return st;
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->changed, NULL);
    int rc = thread_start(&log->thread, run, log);
    if (rc == 0) {
        *out = log;
        return OK;
    }
    error ignored;
    line_writer_close(&log->writer, &ignored);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    free(log);
    return fail_errno(err, WEIR_NOMEM, rc, "no thread for the access log");
}

void access_log_close(struct access_log *log)
{
    error ignored;
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->closing = true;
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    line_writer_close(&log->writer, &ignored);
    strbuf_free(&log->waiting);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    free(log);
}
