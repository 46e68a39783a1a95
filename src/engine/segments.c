/* How a body is split, how many segments there are, and how that ends; see segments.h. Worker
 * thread, from within net_loop_wait.
 */
#include "engine/segments.h"

#include <stdlib.h>

#include "core/extents.h"
#include "engine/segment.h"

#define LOOK_EVERY (100 * NS_PER_MS)
#define MEASURE (100 * NS_PER_MS)    /* of the speed, for save.segments = auto */
#define AUTO_FROM ((int64_t)8 << 20) /* smaller files are not worth a thought */

/* ------------------------------------------------------------------ what is missing */

int64_t segments_front(const struct fetch *f)
{
    const struct segment *g = f->segments->first;
    return g ? g->at - (int64_t)g->gathered : f->held.size;
}

struct segment *segment_new(struct fetch *f, int64_t at, int64_t to)
{
    struct segment *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->fetch = f;
    g->at = g->from = at;
    g->to = to;
    g->mirror = f->job->mirror;
    g->failures = f->job->attempts ? f->job->attempts - 1 : 0;
    return g;
}

static void insert_after(struct fetch *f, struct segment *before, struct segment *g)
{
    struct segment **at = before ? &before->next : &f->segments->first;
    g->next = *at;
    *at = g;
}

void segment_remove(struct fetch *f, struct segment *g)
{
    struct segment **at = &f->segments->first;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    free(g->buffer);
    free(g);
}

void segments_cut(struct fetch *f)
{
    for (struct segment *g = f->segments ? f->segments->first : NULL; g; g = g->next)
        if (g->transfer)
            segment_cut(g);
}

void segments_free(struct fetch *f)
{
    if (!f->segments)
        return;
    segments_cut(f);
    while (f->segments->first)
        segment_remove(f, f->segments->first);
    free(f->segments);
    f->segments = NULL;
}

/* What has become contiguous is read back for the digest, in turn with the transfers. */
void segments_catch_up(struct fetch *f)
{
    if (!f->is_reading && check_lags(&f->check, segments_front(f)))
        fetch_begin_reading(f);
}

/* ------------------------------------------------------------------ how many */

/* More than there are is more than the server, or this machine, likes. */
void segments_want_no_more(struct segments *s)
{
    s->growth.wanted = s->active > 1 ? s->active : 1;
}

/* A gap whose time has come. */
static struct segment *find_gap(const struct fetch *f, uint64_t now)
{
    for (struct segment *g = f->segments->first; g; g = g->next)
        if (!g->transfer && (g->not_before <= now || !f->segments->active))
            return g;
    return NULL;
}

/* The one whose rest is to be shared. */
static struct segment *find_victim(const struct fetch *f, uint64_t now)
{
    struct segment_view views[SEGMENTS_MAX];
    struct segment *of[SEGMENTS_MAX];
    size_t n = 0;
    for (struct segment *g = f->segments->first; g && n < SEGMENTS_MAX; g = g->next) {
        double s = g->answered && now > g->answered ? (double)(now - g->answered) / NS_PER_S : 0;
        if (!g->transfer)
            continue;
        views[n] = (struct segment_view){.rest = g->to - g->at,
                                         .speed = s > 0 ? (double)(g->at - g->from) / s : 0};
        of[n++] = g;
    }
    int victim = segment_victim(views, n, (double)f->segments->latency / NS_PER_S);
    return victim < 0 ? NULL : of[victim];
}

static struct segment *steal(struct fetch *f, struct segment *victim)
{
    int64_t middle = segment_middle(victim->at, victim->to);
    struct segment *g = segment_new(f, middle, victim->to);
    if (!g)
        return NULL;
    g->failures = victim->failures;
    victim->to = middle;
    insert_after(f, victim, g);
    return g;
}

/* Begins as many as are wanted and can be had. */
static void begin_more(struct fetch *f)
{
    struct segments *s = f->segments;
    uint64_t now = clock_now();
    uint32_t wanted = f->no_split ? 1 : s->growth.wanted;
    while (s->active < wanted && !run_stopping(f->worker->engine)) {
        struct segment *gap = find_gap(f, now), *victim = gap ? NULL : find_victim(f, now);
        struct host *host;
        uint32_t mirror;
        if ((!gap && !victim) || !segment_take_slot(f, &mirror, &host))
            return;
        struct segment *g = gap ? gap : steal(f, victim);
        if (!g)
            segment_return_slot(f, mirror, host);
        if (!g || !segment_ask(g, mirror, host))
            return; /* out of memory: with fewer, then */
    }
}

/* Somebody waits for a slot: the one that has the most to do gives its own. */
static void yield_slot(struct fetch *f)
{
    struct segment *most = NULL;
    for (struct segment *g = f->segments->first; g; g = g->next)
        if (g->host && g->transfer && (!most || g->to - g->at > most->to - most->at) &&
            queue_pressed(f->worker->engine->queue, g->host))
            most = g;
    if (most)
        segment_cut(most);
}

static void measure(struct fetch *f, uint64_t now)
{
    struct segments *s = f->segments;
    int64_t bytes = atomic_load_explicit(&f->shown_offset, memory_order_relaxed);
    for (const struct segment *g = s->first; g; g = g->next)
        if (g->transfer && (!g->answered || now < g->answered + MEASURE))
            return;
    if (now < s->measured_at + MEASURE)
        return;
    double seconds = (double)(now - s->measured_at) / NS_PER_S;
    growth_decide(&s->growth, s->active, (double)(bytes - s->measured) / seconds,
                  f->held.size - bytes);
    s->measured_at = now;
    s->measured = bytes;
}

void segments_look(struct fetch *f, uint64_t now)
{
    struct segments *s = f->segments;
    s->look_at = now + (uint64_t)LOOK_EVERY;
    if (s->active > 1)
        yield_slot(f);
    if (s->is_auto && !f->no_split)
        measure(f, now);
    begin_more(f);
}

/* ------------------------------------------------------------------ the end */

/* All bytes are here. */
static void end_whole(struct fetch *f)
{
    struct transfer_result result = {.answered = true};
    f->offset = f->until = f->held.size;
    f->attempt_bytes = 0; /* mirrors have been told of each segment */
    segments_free(f);
    error_clear(&f->verdict);
    f->good = true;
    f->enough = false;
    fetch_ended(f, &result);
}

/* No transfer is left, or none may go on: ends as the transfer of one body would. */
void segments_end_failed(struct fetch *f, const struct segment *g, const error *verdict,
                         bool answered)
{
    struct transfer_result result = {.answered = answered};
    if (g) {
        f->http_status = g->http_status;
        f->retry_after_ns = g->retry_after_ns;
    }
    error kept = *verdict;
    segments_cut(f);
    f->offset = segments_front(f);
    f->verdict = kept;
    fetch_ended(f, &result);
}

void segments_caught_up(struct fetch *f)
{
    if (!f->segments->first)
        end_whole(f);
}

void segments_stop(struct fetch *f, const error *why)
{
    segments_end_failed(f, NULL, why, true);
}

/* Whole, or what is next. */
void segments_go_on(struct fetch *f)
{
    struct segments *s = f->segments;
    segments_catch_up(f);
    if (!s->first) {
        if (!f->is_reading)
            end_whole(f);
        return;
    }
    s->must_wait = false;
    begin_more(f);
    if (s->active || run_stopping(f->worker->engine))
        return;
    /* Only a rate or a hold is in the way: the queue hands the job out again when they allow it. */
    f->restart = f->restart || s->must_wait;
    segments_end_failed(f, NULL, &s->last, true);
}

/* ------------------------------------------------------------------ the beginning */

bool segments_allowed(const struct fetch *f)
{
    const struct job *job = f->job;
    return f->sink && f->sink->type->write_at && !f->shaped && !f->body && !f->chain &&
           (!f->callbacks->on_data || f->silenced) && !job->method && !job->body && !f->no_range;
}

/* Something vouches for it that what comes from several requests is one body. */
static bool can_be_split(const struct fetch *f, const struct response *r)
{
    return segments_allowed(f) && !f->no_split && f->held.size > 0 &&
           (provenance_strong_validator(&f->held) || fetch_is_vouched(f)) &&
           !(r && r->accept_ranges && strcasecmp(r->accept_ranges, "none") == 0) &&
           f->until == f->held.size;
}

static status split(struct fetch *f, uint32_t wanted, bool is_auto)
{
    struct segments *s = calloc(1, sizeof *s);
    uint64_t now = clock_now();
    if (!s)
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    s->growth.wanted = wanted;
    s->is_auto = is_auto;
    s->latency = now - f->attempt_started;
    s->look_at = now + (uint64_t)LOOK_EVERY;
    s->measured_at = now;
    s->measured = atomic_load_explicit(&f->shown_offset, memory_order_relaxed);
    fail(&s->last, WEIR_TRUNCATED, "the body ended early");
    f->segments = s;
    return OK;
}

/* What an earlier run, or the last try, has left open. */
static status list_gaps(struct fetch *f)
{
    struct extents held;
    struct extent gap;
    struct segment *last = NULL;
    if (!extents_parse(&held, f->held.extents))
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    status st = OK;
    for (int64_t at = 0; !st && extents_next_gap(&held, at, f->held.size, &gap); at = gap.to) {
        struct segment *g = segment_new(f, gap.from, gap.to);
        if (g)
            insert_after(f, last, g);
        else
            st = fail(&f->verdict, WEIR_NOMEM, "out of memory");
        last = g;
    }
    extents_free(&held);
    provenance_forget_extents(&f->held);
    return st;
}

int64_t segments_held(const struct fetch *f)
{
    struct extents held;
    extents_parse(&held, f->held.extents);
    int64_t total = extents_total(&held);
    extents_free(&held);
    return total;
}

static void show_offset(struct fetch *f)
{
    int64_t held = f->held.size;
    for (const struct segment *g = f->segments->first; g; g = g->next)
        held -= g->to - g->at;
    atomic_store_explicit(&f->shown_offset, held, memory_order_relaxed);
}

/* Equal parts, as many as there are slots for. */
static status split_evenly(struct fetch *f)
{
    struct segments *s = f->segments;
    struct segment *last = segment_new(f, f->offset, f->held.size), *of[SEGMENTS_MAX];
    uint32_t parts = segment_parts(f->held.size - f->offset, s->growth.wanted), n = 1;
    struct host *hosts[SEGMENTS_MAX];
    uint32_t mirrors[SEGMENTS_MAX];
    if (!last)
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    s->first = last;
    s->own_slot_used = true;
    while (n < parts && segment_take_slot(f, &mirrors[n], &hosts[n]))
        n++;
    segment_adopt(f, last, clock_now());
    for (uint32_t i = 1; i < n; i++) {
        of[i] = segment_new(f, segment_part_at(f->offset, f->held.size, i, n), f->held.size);
        if (!of[i]) { /* with fewer, then */
            segment_return_slot(f, mirrors[i], hosts[i]);
            continue;
        }
        last->to = of[i]->at;
        insert_after(f, last, of[i]);
        last = of[i];
    }
    for (uint32_t i = 1; i < n; i++)
        if (of[i])
            segment_ask(of[i], mirrors[i], hosts[i]);
    return OK;
}

static int64_t wanted_segments(const struct fetch *f)
{
    int own = f->job->segments;
    return own == WEIR_SEGMENTS_AUTO ? COUNT_AUTO
           : own                     ? own
                                     : f->worker->engine->options->save_segments;
}

status segments_answered(struct fetch *f, const struct response *r, bool is_part)
{
    int64_t option = wanted_segments(f);
    bool goes_on = is_part && (f->segments || f->held.extents);
    status st = OK;
    f->split_at = 0;
    if (goes_on && !f->segments) {
        st = split(f, option == COUNT_AUTO ? 2 : (uint32_t)option, option == COUNT_AUTO);
        st = st ? st : list_gaps(f);
    }
    if (st)
        return st;
    if (goes_on) {
        show_offset(f);
        segment_adopt(f, f->segments->first, clock_now());
        begin_more(f);
        return OK;
    }
    if (!can_be_split(f, r) || f->held.size - f->offset < 2 * SEGMENT_MIN || option == 1)
        return OK;
    if (option == COUNT_AUTO) {
        if (f->held.size - f->offset >= AUTO_FROM)
            f->split_at = clock_now() + (uint64_t)MEASURE;
        f->measured = f->offset;
        return OK;
    }
    st = split(f, (uint32_t)option, false);
    return st ? st : split_evenly(f);
}

void segments_consider(struct fetch *f, uint64_t now)
{
    struct growth growth = {.wanted = 1};
    uint64_t since = f->split_at - (uint64_t)MEASURE;
    int64_t bytes = f->offset - f->measured;
    growth_decide(&growth, 1, (double)bytes * NS_PER_S / (double)(now - since),
                  f->held.size - f->offset);
    f->split_at = now + (uint64_t)MEASURE;
    f->measured = f->offset;
    if (growth.wanted == 1 || split(f, growth.wanted, true))
        return;
    f->segments->growth = growth;
    struct segment *g = f->segments->first = segment_new(f, f->offset, f->held.size);
    if (!g) {
        segments_free(f); /* in one piece, then */
        return;
    }
    f->split_at = 0;
    segment_adopt(f, g, since);
    g->from -= bytes; /* for its speed */
    begin_more(f);
}
