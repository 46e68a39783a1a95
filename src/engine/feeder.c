/* The feeder thread; see feeder.h. */
#include "engine/feeder.h"

#include <stdlib.h>

#include "engine/admission.h"
#include "engine/commit.h"
#include "engine/input.h"
#include "engine/plan.h"
#include "engine/removal.h"
#include "source/tree_walk.h"

/* The queue was closed before it took the job, which ends as not done. */
static status end_outside(struct weir_engine *e, struct job *job)
{
    struct outcome *o = outcome_new();
    if (o) {
        outcome_set_stopped(o);
        o->job = job;
        o->outside = true;
    } else {
        job_free(job);
    }
    run_post(e, o);
    return WEIR_CANCELLED;
}

/* Posts a job that has its outcome without a transfer. Blocks for a place in the queue. */
static status post_outcome(struct weir_engine *e, struct job *job, weir_outcome verdict,
                           const error *err)
{
    struct outcome *o = outcome_new();
    if (!o || queue_enter(e->queue)) {
        outcome_free(o);
        return end_outside(e, job);
    }
    o->job = job;
    o->result = verdict;
    if (verdict == WEIR_FAILED)
        outcome_set_error(o, err);
    run_post(e, o);
    return OK;
}

/* A stream takes one body at a time, whole and in list order: the next job comes when the last one
 * needs no more transfers, retries and all. Its last bytes may still be on their way to the reader,
 * in front of those to come. */
static void wait_for_turn(struct weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (atomic_load(&e->unsettled) > 0 && !run_stopping(e))
        pthread_cond_wait(&e->feed, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

static status put_job(struct weir_engine *e, struct job *job, weir_outcome verdict,
                      const error *err)
{
    if (plan_one_at_a_time(e))
        wait_for_turn(e);
    /* Counted before anybody else can see the job, so that the counters never fall below zero. */
    atomic_fetch_add(&e->unsettled, 1);
    atomic_fetch_add(&e->unfinished, 1);
    atomic_fetch_add_explicit(&e->counters.found, 1, memory_order_relaxed);
    if (verdict != WEIR_DONE)
        return post_outcome(e, job, verdict, err);
    return queue_put(e->queue, job) ? end_outside(e, job) : OK;
}

static status out_of_memory(struct weir_engine *e)
{
    error err;
    fail(&err, WEIR_NOMEM, "out of memory while reading the lists");
    run_stop(e, WEIR_NOMEM, &err);
    return WEIR_NOMEM;
}

static status feed(struct admission *a, const struct candidate *c)
{
    error err;
    weir_outcome verdict;
    struct job *job = admit(a, c, &verdict, &err);
    if (job)
        return put_job(a->engine, job, verdict, &err);
    if (!a->journal_unreadable)
        return out_of_memory(a->engine);
    run_stop(a->engine, err.status, &err);
    return err.status;
}

static status feed_unreadable(struct admission *a, const struct record *r, const error *err)
{
    struct job *job = admit_unreadable(a, r->url, r->line);
    return job ? put_job(a->engine, job, WEIR_FAILED, err) : out_of_memory(a->engine);
}

static struct job *next_added(struct weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct job *job = e->added;
    if (job) {
        e->added = job->next;
        if (!e->added)
            e->added_end = &e->added;
        e->added_count--;
        pthread_cond_signal(&e->room);
    }
    pthread_mutex_unlock(&e->lock);
    return job;
}

/* What weir_engine_add has left; see raw_job in engine.c. */
static status feed_added(struct admission *a)
{
    struct job *raw;
    while ((raw = next_added(a->engine)) != NULL) {
        struct candidate c = {.url = span_of(job_text(raw, raw->url)),
                              .name = span_of(job_text(raw, raw->name)),
                              .id = span_of(job_text(raw, raw->id)),
                              .mirrors = job_list(raw, raw->mirrors),
                              .digests = job_list(raw, raw->digests),
                              .headers = job_list(raw, raw->headers),
                              .method = span_of(job_text(raw, raw->method)),
                              .body = {job_text(raw, raw->body), raw->body_size},
                              .sends = job_sends(raw),
                              .upload = span_of(job_text(raw, raw->upload)),
                              .source = raw->source,
                              .size = raw->size,
                              .save = raw->save_body ? WEIR_SAVE_BODY
                                      : raw->to_file ? WEIR_SAVE_YES
                                                     : WEIR_SAVE_NO,
                              .segments = raw->segments,
                              .callbacks = raw->callbacks,
                              .user = raw->user};
        status st = feed(a, &c);
        job_free(raw);
        if (st)
            return st;
    }
    return OK;
}

static bool has_added(struct weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool has = e->added != NULL;
    pthread_mutex_unlock(&e->lock);
    return has;
}

static status feed_record(struct admission *a, const struct record *r)
{
    bool sends = a->engine->sends || r->root;
    bool is_target = sends && r->name.n; /* else the record is the name of a file */
    a->from_list = a->from_list || !sends;
    if (r->warning)
        commit_event(a->engine->commit, WEIR_EVENT_WARNING, r->warning, NULL, 0, 0, NULL);
    struct candidate c = {.url = sends && !is_target ? (struct span){0} : r->url,
                          .name = r->name,
                          .sends = sends,
                          .upload = is_target ? r->name : r->url,
                          .upload_root = r->root,
                          .id = r->id,
                          .mirrors = r->mirrors,
                          .digests = r->digests,
                          .headers = r->headers,
                          .method = r->method,
                          .body = r->body,
                          .extra = r->extra,
                          .size = r->size,
                          .line = r->line};
    return feed(a, &c);
}

static void say_left_out(struct weir_engine *e, const struct input *tree)
{
    struct strbuf text = {0};
    if (tree_left_out(tree->source, &text))
        commit_event(e->commit, WEIR_EVENT_WARNING, strbuf_text(&text), NULL, 0, 0, NULL);
    strbuf_free(&text);
}

static status feed_list(struct admission *a, struct input *input)
{
    struct weir_engine *e = a->engine;
    error err;
    uint64_t records = 0;
    status st = input_start(input, &err);
    while (!st) {
        struct record r = {0};
        st = source_next(input->source, &r, &err);
        if (st == WEIR_INPUT && r.line) {
            st = feed_unreadable(a, &r, &err);
        } else if (!st) {
            st = feed_record(a, &r);
        }
        if (st == OK && (++records & 63) == 0 && has_added(e))
            st = feed_added(a);
    }
    if (st == WEIR_END && input->is_tree)
        say_left_out(e, input);
    if (st == WEIR_END && records == 0)
        commit_event(e->commit, WEIR_EVENT_WARNING,
                     input->is_tree ? "a folder holds no files" : "a list holds no URLs", NULL, 0,
                     0, NULL);
    if (st == WEIR_END || st == WEIR_CANCELLED || run_stopping(e))
        return st == WEIR_END ? OK : WEIR_CANCELLED;
    /* The list itself cannot be read on: said as a failure of its own, the other lists go on. */
    struct record broken = {.url = span_of(input->list)};
    return feed_unreadable(a, &broken, &err);
}

/* All lists are read; jobs may still be added, by callbacks until the last on_end has returned, by
 * other threads until weir_engine_finish. */
static status feed_until_finished(struct admission *a)
{
    struct weir_engine *e = a->engine;
    atomic_store(&e->counters.all_found, true);
    if (atomic_load(&e->unsettled) == 0)
        commit_hurry(e->commit);
    for (;;) {
        status st = feed_added(a);
        if (st)
            return st;
        pthread_mutex_lock(&e->lock);
        while (!e->added && !run_stopping(e) && (e->kept_open || atomic_load(&e->unfinished) > 0))
            pthread_cond_wait(&e->feed, &e->lock);
        bool more = e->added && !run_stopping(e);
        e->fed = !more;
        pthread_mutex_unlock(&e->lock);
        if (!more)
            return OK;
    }
}

/* Only after a run that has come to its end, over lists that could be read whole. */
static void remove_unnamed(struct admission *a)
{
    struct weir_engine *e = a->engine;
    error err;
    if (run_stopping(e))
        return;
    if (a->incomplete || !a->from_list) {
        commit_event(e->commit, WEIR_EVENT_WARNING,
                     a->incomplete ? "nothing is removed (--delete): not all lines of the lists "
                                     "could be read"
                                   : "nothing is removed (--delete): no list names what is to stay",
                     NULL, 0, 0, NULL);
        return;
    }
    status st = removal_run(a, &err);
    if (st)
        run_stop(e, st, &err);
}

void *feeder_main(void *arg)
{
    struct weir_engine *e = arg;
    struct admission a;
    error err;
    status st = admission_open(&a, e, &err);
    if (st)
        run_stop(e, st, &err);
    else
        st = feed_added(&a);
    for (struct input *input = e->inputs; input && !st && !run_stopping(e); input = input->next)
        st = feed_list(&a, input);
    if (!st && feed_until_finished(&a) == OK && e->options->save_delete && !e->sends)
        remove_unnamed(&a);
    admission_close(&a);
    queue_end_of_input(e->queue);
    return NULL;
}
