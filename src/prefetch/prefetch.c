/* The prefetcher as a whole: opening and closing it, waiting, and what may be asked of it; see
 * weir/prefetch.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/thread.h"
#include "prefetch/prefetch_run.h"
#include "prefetch/validate.h"

#define AHEAD_MOST 4 /* ahead = auto: times what may be under way */

/* ---- notes ---- */

struct note *note_of(struct slot *s)
{
    return s ? s->extra : NULL;
}

struct note *note_make(struct slot *s)
{
    if (!s->extra)
        s->extra = calloc(1, sizeof(struct note));
    return s->extra;
}

void note_free(struct slot *s)
{
    struct note *n = note_of(s);
    if (!n)
        return;
    free(n->name);
    free(n->digest);
    free(n);
    s->extra = NULL;
}

/* ---- telling ---- */

void prefetch_changed_locked(struct weir_prefetch *p)
{
    p->planned = true;
    pthread_cond_signal(&p->plan);
}

void prefetch_arrived_locked(struct weir_prefetch *p)
{
    uint64_t one = 1;
    pthread_cond_broadcast(&p->arrived);
    for (size_t i = 0; i < p->face_count; i++) {
        /* An eventfd refuses only when it is full, and then it is readable already. */
        ssize_t ignored = write(p->faces[i], &one, sizeof one);
        (void)ignored;
    }
}

/* What is told between _open and _on_event waits for who will listen. */
static void hand_event(const weir_event *event, void *user)
{
    struct weir_prefetch *p = user;
    pthread_mutex_lock(&p->event_lock);
    if (p->on_event)
        p->on_event(event, p->event_user);
    else if (event->kind == WEIR_EVENT_WARNING && p->early_count < EARLY_WARNINGS)
        p->early[p->early_count++] = strdup(event->text);
    pthread_mutex_unlock(&p->event_lock);
}

static void drop_early(struct weir_prefetch *p)
{
    for (size_t i = 0; i < p->early_count; i++)
        free(p->early[i]);
    p->early_count = 0;
}

void prefetch_say(struct weir_prefetch *p, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    weir_event event = {.kind = WEIR_EVENT_WARNING, .text = text};
    hand_event(&event, p);
}

/* Of the engine's events those that a person wants here: what became of each shard is told by
 * us. */
static void on_engine_event(const weir_event *event, void *user)
{
    if (event->kind == WEIR_EVENT_RETRY || event->kind == WEIR_EVENT_HELD ||
        event->kind == WEIR_EVENT_WARNING)
        hand_event(event, user);
}

void weir_prefetch_on_event(weir_prefetch *p, void (*on_event)(const weir_event *, void *),
                            void *user)
{
    pthread_mutex_lock(&p->event_lock);
    p->on_event = on_event;
    p->event_user = user;
    for (size_t i = 0; on_event && i < p->early_count; i++) {
        weir_event event = {.kind = WEIR_EVENT_WARNING, .text = p->early[i]};
        if (event.text)
            on_event(&event, user);
    }
    drop_early(p);
    pthread_mutex_unlock(&p->event_lock);
}

/* ---- stopping ---- */

static void stop(struct weir_prefetch *p, const error *why)
{
    uint64_t one = 1;
    pthread_mutex_lock(&p->lock);
    if (!p->stopping && why)
        p->broken = *why;
    p->stopping = true;
    atomic_store(&p->leaving, true);
    ssize_t ignored = write(p->leave_fd, &one, sizeof one);
    (void)ignored;
    prefetch_changed_locked(p);
    prefetch_arrived_locked(p);
    pthread_mutex_unlock(&p->lock);
    weir_engine_cancel(p->engine);
}

void prefetch_break(struct weir_prefetch *p, const error *why)
{
    stop(p, why);
}

void weir_prefetch_stop(weir_prefetch *p)
{
    stop(p, NULL);
}

static void *engine_main(void *arg)
{
    struct weir_prefetch *p = arg;
    error err;
    status st = weir_engine_run(p->engine, NULL, &err);
    pthread_mutex_lock(&p->lock);
    p->engine_ended = true;
    bool expected = p->stopping;
    pthread_mutex_unlock(&p->lock);
    if (!expected) {
        if (!st)
            fail(&err, WEIR_HTTP, "the run was stopped, because too many URLs have failed");
        stop(p, &err);
    }
    return NULL;
}

/* ---- opening ---- */

/* A value of ours that is wrong is told like any other of the configuration. */
static status bad_option(struct weir_prefetch *p, const char *name, const char *value,
                         const char *allowed, error *err)
{
    const char *origin = weir_config_origin(p->config, name);
    return fail(err, WEIR_CONFIG, "%s: %s: \"%s\" is not %s", origin ? origin : "", name, value,
                allowed);
}

static status read_ahead(struct weir_prefetch *p, error *err)
{
    const char *text = p->options->prefetch_ahead;
    uint64_t fixed = 0;
    uint64_t most = (uint64_t)p->window.rules.fetching_max * AHEAD_MOST;
    if (text && strcmp(text, "auto") != 0 &&
        (!parse_uint64(span_of(text), &fixed) || !fixed || fixed > 1000000))
        return bad_option(p, "prefetch.ahead", text, "\"auto\" or a number from 1 to 1000000", err);
    lookahead_init(&p->lookahead, fixed, most);
    return OK;
}

/* What the engine shall do here, whatever it is asked to do elsewhere. */
static status set_options(struct weir_prefetch *p, error *err)
{
    static const char *const settings[][2] = {
        {"save.on_exist", "skip"},
        {"save.delete", "no"},
        {"save.preallocate", "no"},
        {"save.content_disposition", "no"},
        {"http.decode", "none"},
        {"journal.path", ""},
        {"save.min_free", "0"},
        {"report.failed", ""},
        {"report.path", ""},
        /* Each name is our own, and given again when a shard is fetched again: the engine is not
         * to keep them all in mind. */
        {"save.tree", "yes"},
    };
    const char *origin = weir_config_origin(p->config, "save.min_free");
    p->min_free =
        origin && strcmp(origin, "default") == 0 ? SHARD_FREE_DEFAULT : p->options->save_min_free;
    /* Unless told otherwise, what somebody waits for may come in several ranges, and only that. */
    origin = weir_config_origin(p->config, "save.segments");
    p->segments_given = origin && strcmp(origin, "default") != 0;
    if (!p->segments_given) {
        status st = weir_config_set(p->config, "save.segments", "auto", err);
        if (st)
            return st;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        status st = weir_config_set(p->config, settings[i][0], settings[i][1], err);
        if (st)
            return st;
    }
    return OK;
}

static int64_t listed_size(void *ctx, uint64_t index)
{
    const struct weir_prefetch *p = ctx;
    return shard_size(p->index, index);
}

static status make_rules(struct weir_prefetch *p, error *err)
{
    const struct options *o = p->options;
    struct reading_rules reading = {.mode = (enum reading_mode)o->prefetch_mode,
                                    .start = (uint64_t)o->prefetch_start,
                                    .count = shard_index_count(p->index),
                                    .epochs = (uint64_t)o->prefetch_epochs,
                                    .keep_behind = (uint64_t)o->prefetch_keep_behind,
                                    .expected = (uint32_t)o->prefetch_consumers};
    uint32_t most = (uint32_t)o->run_concurrency;
    /* More would only wait in the engine, where what is wanted most could not go before it. */
    if (shard_index_one_host(p->index) && (uint32_t)o->limits_per_host < most)
        most = (uint32_t)o->limits_per_host;
    struct window_rules rules = {.budget = o->prefetch_budget,
                                 .ahead = 1,
                                 .fetching_max = most,
                                 .size_of = listed_size,
                                 .ctx = p};
    status st = readers_init(&p->readers, &reading, err);
    window_init(&p->window, &rules, &p->readers);
    return st ? st : read_ahead(p, err);
}

static status add_pins(struct weir_prefetch *p, error *err)
{
    uint64_t index;
    status st = OK;
    for (size_t i = 0; !st && shard_index_pin(p->index, i, &index); i++)
        st = window_pin(&p->window, index, err);
    return st;
}

static status start_thread(pthread_t *out, void *(*run)(void *), void *arg, error *err)
{
    int rc = thread_start(out, run, arg);
    return rc ? fail_errno(err, WEIR_NOMEM, rc, "cannot start a thread") : OK;
}

static status start_threads(struct weir_prefetch *p, error *err)
{
    status st = start_thread(&p->engine_thread, engine_main, p, err);
    p->engine_started = !st;
    for (uint32_t i = 0; i < FINISHERS && !st; i++) {
        st = start_thread(&p->finisher_threads[i], finisher_main, p, err);
        p->finishers_started += !st;
    }
    if (!st) {
        st = start_thread(&p->planner_thread, planner_main, p, err);
        p->planner_started = !st;
    }
    return st;
}

static void init_waiting(struct weir_prefetch *p)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->plan, &attr);
    pthread_cond_init(&p->arrived, &attr);
    pthread_cond_init(&p->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->state_lock, NULL);
    pthread_mutex_init(&p->event_lock, NULL);
    p->finished_end = &p->finished;
}

/* Those who were there before may come again over a connection. */
static void expect_restored(struct weir_prefetch *p)
{
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (p->readers.at[i].joined)
            p->presence[i] = (struct presence){.by_connection = true, .gone_at = p->opened_at};
}

static status open_all(struct weir_prefetch *p, const char *const *lists, size_t n, error *err)
{
    status st = OK;
    if (!p->config) {
        st = weir_config_new(&p->config, err);
        p->owns_config = !st;
    }
    if (st)
        return st;
    p->options = config_options(p->config);
    const struct options *o = p->options;
    st = shard_index_open(&p->index, lists, n, p->config, (uint64_t)o->prefetch_start,
                          (uint64_t)o->prefetch_limit, err);
    if (!st)
        st = make_rules(p, err);
    if (!st)
        st = set_options(p, err);
    if (!st)
        st = cache_state_open(p, err);
    if (!st)
        st = add_pins(p, err);
    if (!st)
        st = weir_engine_new(&p->engine, p->config, err);
    if (st)
        return st;
    expect_restored(p);
    p->filled = o->prefetch_prefill == 0;
    weir_engine_on_event(p->engine, on_engine_event, p);
    weir_engine_keep_open(p->engine);
    return start_threads(p, err);
}

weir_status weir_prefetch_open(weir_prefetch **out, const char *const *lists, size_t n,
                               weir_config *config, weir_error *err)
{
    struct weir_prefetch *p = calloc(1, sizeof *p);
    if (!p)
        return fail(err, WEIR_NOMEM, "out of memory");
    init_waiting(p);
    p->config = config;
    p->dirfd = p->own_fd = -1;
    p->opened_at = clock_now();
    p->leave_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    status st = p->leave_fd < 0 ? fail_errno(err, WEIR_NOMEM, errno, "cannot make a descriptor")
                                : open_all(p, lists, n, err);
    if (st) {
        weir_prefetch_close(p);
        return st;
    }
    *out = p;
    return OK;
}

/* ---- closing ---- */

static void join_threads(struct weir_prefetch *p)
{
    if (p->planner_started)
        pthread_join(p->planner_thread, NULL);
    if (p->engine_started)
        pthread_join(p->engine_thread, NULL);
    pthread_mutex_lock(&p->lock);
    p->finishing_ends = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->finishers_started; i++)
        pthread_join(p->finisher_threads[i], NULL);
    if (p->listener)
        pthread_join(p->listener_thread, NULL);
    line_face_close(p->listener);
}

void weir_prefetch_close(weir_prefetch *p)
{
    if (!p)
        return;
    if (p->engine)
        stop(p, NULL);
    join_threads(p);
    weir_engine_free(p->engine);
    for (size_t i = 0; i < p->window.count; i++)
        note_free(&p->window.slots[i]);
    window_free(&p->window);
    readers_free(&p->readers);
    cache_state_close(p);
    shard_index_close(p->index);
    while (p->consumers) {
        struct weir_consumer *c = p->consumers;
        p->consumers = c->next;
        free(c);
    }
    drop_early(p);
    if (p->owns_config)
        weir_config_free(p->config);
    if (p->leave_fd >= 0)
        close(p->leave_fd);
    pthread_cond_destroy(&p->plan);
    pthread_cond_destroy(&p->arrived);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->state_lock);
    pthread_mutex_destroy(&p->event_lock);
    free(p);
}

/* ---- consumers ---- */

static struct weir_consumer *consumer_named(struct weir_prefetch *p, const char *name)
{
    struct weir_consumer *c = p->consumers;
    while (c && strcmp(c->name, name) != 0)
        c = c->next;
    return c;
}

weir_status weir_prefetch_join(weir_prefetch *p, weir_consumer **out, const char *name, int rank,
                               weir_error *err)
{
    uint32_t who;
    status st = desk_join(p, name, rank < 0 ? UINT32_MAX : (uint32_t)rank, true, &who, err);
    if (st)
        return st;
    pthread_mutex_lock(&p->lock);
    p->presence[who].by_connection = false;
    struct weir_consumer *c = consumer_named(p, name);
    if (!c && (c = calloc(1, sizeof *c)) != NULL) {
        snprintf(c->name, sizeof c->name, "%s", name);
        c->p = p;
        c->next = p->consumers;
        p->consumers = c;
    }
    if (c)
        *out = c;
    pthread_mutex_unlock(&p->lock);
    return c ? OK : fail(err, WEIR_NOMEM, "out of memory");
}

static weir_shard_state no_consumer(const struct weir_consumer *c, weir_shard *out)
{
    memset(out, 0, sizeof *out);
    fail(&out->error, WEIR_USAGE, "the consumer \"%s\" has been forgotten; join again", c->name);
    return WEIR_SHARD_FAILED;
}

static weir_shard_state wait_for(struct weir_consumer *c, bool next, uint64_t seq,
                                 int64_t timeout_ms, weir_shard *out)
{
    struct weir_prefetch *p = c->p;
    uint64_t since = clock_now(), until = since + (uint64_t)timeout_ms * NS_PER_MS;
    struct timespec at = clock_timespec(until);
    pthread_mutex_lock(&p->lock);
    uint32_t who = readers_find(&p->readers, c->name);
    weir_shard_state state =
        who == NO_READER ? no_consumer(c, out) : desk_try_locked(p, who, next, seq, out);
    bool waited = state == WEIR_SHARD_TIMEOUT, stalls = waited && p->presence[who].has_had;
    int rc = 0;
    while (state == WEIR_SHARD_TIMEOUT && timeout_ms != 0 && !rc) {
        desk_wait_locked(p, who, next, seq);
        rc = timeout_ms < 0 ? pthread_cond_wait(&p->arrived, &p->lock)
                            : pthread_cond_timedwait(&p->arrived, &p->lock, &at);
        who = readers_find(&p->readers, c->name);
        state = who == NO_READER ? no_consumer(c, out) : desk_try_locked(p, who, next, seq, out);
    }
    if (waited && who != NO_READER && timeout_ms != 0)
        desk_waited_locked(p, who, since, stalls && state != WEIR_SHARD_END);
    pthread_mutex_unlock(&p->lock);
    if (who != NO_READER)
        desk_given(p, who, state, out);
    return state;
}

weir_shard_state weir_prefetch_next(weir_consumer *c, int64_t timeout_ms, weir_shard *out)
{
    return wait_for(c, true, 0, timeout_ms, out);
}

weir_shard_state weir_prefetch_wait(weir_consumer *c, uint64_t seq, int64_t timeout_ms,
                                    weir_shard *out)
{
    return wait_for(c, false, seq, timeout_ms, out);
}

static status find_consumer(struct weir_consumer *c, uint32_t *who, error *err)
{
    pthread_mutex_lock(&c->p->lock);
    *who = readers_find(&c->p->readers, c->name);
    pthread_mutex_unlock(&c->p->lock);
    if (*who == NO_READER)
        return fail(err, WEIR_USAGE, "the consumer \"%s\" has been forgotten; join again", c->name);
    return OK;
}

weir_status weir_prefetch_release(weir_consumer *c, uint64_t seq, weir_error *err)
{
    uint32_t who;
    status st = find_consumer(c, &who, err);
    return st ? st : desk_release(c->p, who, seq, err);
}

weir_status weir_prefetch_commit(weir_consumer *c, uint64_t seq, weir_error *err)
{
    uint32_t who;
    status st = find_consumer(c, &who, err);
    return st ? st : desk_commit(c->p, who, seq, err);
}

weir_status weir_prefetch_forget(weir_prefetch *p, const char *name, weir_error *err)
{
    return desk_forget(p, name, err);
}

/* ---- faces ---- */

static void *listener_main(void *arg)
{
    error ignored;
    line_face_run(arg, &ignored);
    return NULL;
}

weir_status weir_prefetch_listen(weir_prefetch *p, const char *path, weir_error *err)
{
    struct line_face *face = NULL;
    status st = line_face_open(&face, p, err);
    if (!st)
        st = line_face_listen(face, path, err);
    if (!st)
        st = start_thread(&p->listener_thread, listener_main, face, err);
    if (st) {
        line_face_close(face);
        return st;
    }
    p->listener = face;
    return OK;
}

weir_status weir_prefetch_speak(weir_prefetch *p, int in, int out, const char *name, int rank,
                                weir_error *err)
{
    struct line_face *face = NULL;
    status st = line_face_open(&face, p, err);
    if (!st)
        st = line_face_pipes(face, in, out, name, rank < 0 ? UINT32_MAX : (uint32_t)rank, err);
    if (!st)
        st = line_face_run(face, err);
    line_face_close(face);
    return st;
}

static bool is_deserted(const struct weir_prefetch *p)
{
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (p->presence[i].connections)
            return false;
    return true;
}

weir_status weir_prefetch_wait_done(weir_prefetch *p, weir_error *err)
{
    status st = OK;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping && !(readers_done(&p->readers) && is_deserted(p)))
        pthread_cond_wait(&p->arrived, &p->lock);
    if (p->stopping) {
        st = p->broken.status ? p->broken.status : WEIR_CANCELLED;
        if (err)
            *err = p->broken;
    } else if (p->first_failure.status) {
        st = p->first_failure.status;
        if (err)
            *err = p->first_failure;
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}

/* ---- looking ---- */

static uint64_t slowest_locked(struct weir_prefetch *p)
{
    uint64_t lowest = readers_end(&p->readers);
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(&p->readers, i);
        if (c && c->base < lowest)
            lowest = c->base;
    }
    return lowest;
}

void weir_prefetch_look(weir_prefetch *p, weir_prefetch_stats *out)
{
    weir_stats engine;
    weir_engine_stats(p->engine, &engine);
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    out->shards = readers_end(&p->readers) - p->readers.rules.start;
    for (size_t i = 0; i < p->window.count; i++)
        out->ready += p->window.slots[i].state == SLOT_READY;
    out->downloading = p->window.fetching;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        out->waiting += p->window.waiting[i] != NO_SEQ;
        out->consumers += p->readers.at[i].joined;
    }
    out->disk_bytes = p->window.used + p->window.other;
    out->budget_bytes = p->options->prefetch_budget;
    out->ahead = p->window.rules.ahead;
    out->position = slowest_locked(p);
    out->received_bytes = engine.bytes;
    out->elapsed_ms = (int64_t)((clock_now() - p->opened_at) / NS_PER_MS);
    pthread_mutex_unlock(&p->lock);
}
