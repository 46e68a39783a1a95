/* A scanner: cuts blocks into windows of whole lines, finds all hits of a window at once, and hands
 * them out in order.
 *
 * Windows keep the lists of hits small, whatever the block; they also let a scanner compare its two
 * ways (match_plan.h) as it goes. Each way's time for a KiB is measured now and then, the slower
 * one is tried again on a small window, rarely when it was much slower. The lines found are the
 * same either way. Only one thing could differ: PCRE2 gives up on a line (its limits) that
 * Hyperscan has no doubt about. So whenever PCRE2 gives up in a jump, the window is done again the
 * other way, or, without Hyperscan, each line and pattern for itself.
 *
 * One thread: the scanner's.
 */
#include <stdlib.h>
#include <time.h>

#include "match/match_plan.h"

#define WINDOW ((size_t)64 * 1024)
#define TRIAL_WINDOW ((size_t)16 * 1024)
#define TRIAL_EVERY ((double)(4 << 20)) /* bytes, times how much slower it was */
#define TRIAL_MOST ((double)(1 << 30))
#define MEASURE_LEAST ((size_t)4 * 1024) /* bytes: below that, the clock is what is measured */
#define MEASURE_EVERY 16u                /* windows: the clock is a system call */

status scanner_open(struct scanner **out, const struct pattern_set *set, error *err)
{
    struct scanner *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory for a search");
    s->set = set;
    s->window_max = WINDOW;
    s->hits = malloc(MAX_HITS * sizeof *s->hits);
    s->next_hit = calloc(set->jumps_n + 1, sizeof *s->next_hit);
    status st = s->hits && s->next_hit ? pcre2_open(s, err)
                                       : fail(err, WEIR_NOMEM, "out of memory for a search");
#ifdef WEIR_HAVE_HYPERSCAN
    if (!st && set->hs)
        st = hs_scratch_open(s, err);
#endif
    s->way = set->hs ? WAY_BLOCK : WAY_JUMP;
    s->pinned = !set->hs || !set->can_jump;
    if (st) {
        scanner_close(s);
        return st;
    }
    *out = s;
    return OK;
}

void scanner_close(struct scanner *s)
{
    if (!s)
        return;
#ifdef WEIR_HAVE_HYPERSCAN
    hs_scratch_close(s);
#endif
    pcre2_close(s);
    free(s->next_hit);
    free(s->hits);
    free(s);
}

bool scanner_pin(struct scanner *s, enum way way)
{
    if (way == WAY_BLOCK ? !s->set->hs : !s->set->can_jump)
        return false;
    s->way = way;
    s->pinned = true;
    return true;
}

void scanner_begin(struct scanner *s, struct span block)
{
    s->block = block;
    s->window = s->scanned = 0;
    s->hits_n = s->hits_at = 0;
    s->gave_up = false;
}

/* Whole lines from `at` on, at most `most` bytes where a line does not need more. */
static struct span window_at(const struct scanner *s, size_t at, size_t most)
{
    const char *p = s->block.p + at;
    size_t left = s->block.n - at;
    if (left <= most)
        return (struct span){p, left};
    const char *newline = memrchr(p, '\n', most);
    if (!newline)
        newline = memchr(p + most, '\n', left - most);
    return (struct span){p, newline ? (size_t)(newline - p) + 1 : left};
}

static size_t line_end(struct span window, size_t at)
{
    const char *newline = memchr(window.p + at, '\n', window.n - at);
    return newline ? (size_t)(newline - window.p) : window.n;
}

/* Takes the line as a hit. false: the list is full, and ends with it. */
static bool add_hit(struct scanner *s, size_t start, size_t end)
{
    s->hits[s->hits_n++] = (struct range32){(uint32_t)start, (uint32_t)end};
    return s->hits_n < MAX_HITS;
}

static void stop_at(struct scanner *s, size_t start, size_t end, int code)
{
    s->gave_up = true;
    s->bad = (struct range32){(uint32_t)start, (uint32_t)end};
    s->bad_code = code;
}

static bool match_any(struct scanner *s, const struct index_list *list, struct span line,
                      int *gave_up)
{
    for (size_t i = 0; i < list->n; i++)
        if (match_one(s, &s->set->patterns[list->at[i]], line, gave_up))
            return true;
    return false;
}

/* The arbiter: each pattern on each line. Slow. Answers the bytes it has done. */
static size_t fill_by_lines(struct scanner *s, struct span window)
{
    for (size_t at = 0; at < window.n;) {
        size_t end = line_end(window, at);
        int gave_up = 0;
        bool hit = false;
        for (size_t i = 0; i < s->set->n && !hit; i++)
            hit = match_one(s, &s->set->patterns[i], (struct span){window.p + at, end - at},
                            &gave_up);
        if (hit ? !add_hit(s, at, end) : gave_up != 0) {
            if (!hit)
                stop_at(s, at, end, gave_up);
            return end < window.n ? end + 1 : end;
        }
        at = end + 1;
    }
    return window.n;
}

/* WAY_JUMP --------------------------------------------------------------------------------- */

/* The first hit at or behind `at` of all jumps and words. What was found further on is kept. */
static size_t next_jump(struct scanner *s, struct span window, size_t at, int *gave_up)
{
    size_t least = NOWHERE, n = s->set->jumps_n;
    for (size_t i = 0; i <= n; i++) {
        size_t *next = &s->next_hit[i];
        if (*next != NOWHERE && *next < at) {
            *next = NOWHERE;
            if (i < n)
                *next = jump_next(s, i, window, at, gave_up);
            else if (s->set->words)
                *next = words_next(s->set->words, window, at);
        }
        least = *next < least ? *next : least;
    }
    return least;
}

/* Puts all finders at the beginning of a window. */
static void start_jumps(struct scanner *s, struct span window, int *gave_up)
{
    for (size_t i = 0; i < s->set->jumps_n; i++)
        s->next_hit[i] = jump_next(s, i, window, 0, gave_up);
    s->next_hit[s->set->jumps_n] = s->set->words ? words_next(s->set->words, window, 0) : NOWHERE;
}

/* Only jumps: leaps from hit to hit, over all lines without one. */
static bool leap(struct scanner *s, struct span window, size_t *done)
{
    int gave_up = 0;
    size_t at = 0;
    start_jumps(s, window, &gave_up);
    while (!gave_up && at < window.n) {
        size_t hit = next_jump(s, window, at, &gave_up);
        if (gave_up || hit == NOWHERE)
            break;
        const char *before = memrchr(window.p + at, '\n', hit - at);
        size_t start = before ? (size_t)(before - window.p) + 1 : at, end = line_end(window, hit);
        at = end + 1;
        if (!add_hit(s, start, end)) {
            *done = at < window.n ? at : window.n;
            return !gave_up;
        }
    }
    *done = window.n;
    return !gave_up;
}

/* Jumps, and patterns that have to be tried on each line. */
static bool leap_and_walk(struct scanner *s, struct span window, size_t *done)
{
    int jump_gave_up = 0;
    start_jumps(s, window, &jump_gave_up);
    size_t at = 0;
    for (bool room = true; room && !jump_gave_up && at < window.n;) {
        size_t end = line_end(window, at), hit = next_jump(s, window, at, &jump_gave_up);
        int gave_up = 0;
        bool found = hit != NOWHERE && hit <= end;
        if (!found)
            found =
                match_any(s, &s->set->jump_rest, (struct span){window.p + at, end - at}, &gave_up);
        if (!found && gave_up)
            return false;
        room = !found || add_hit(s, at, end);
        at = end + 1;
    }
    *done = at < window.n ? at : window.n;
    return !jump_gave_up;
}

/* false: PCRE2 gave up somewhere; nothing of it counts. */
static bool fill_by_jumps(struct scanner *s, struct span window, size_t *done)
{
    return s->set->jump_rest.n ? leap_and_walk(s, window, done) : leap(s, window, done);
}

/* WAY_BLOCK -------------------------------------------------------------------------------- */

#ifdef WEIR_HAVE_HYPERSCAN

/* Does the line of these candidates match? Certain ones first, so that PCRE2 is asked, and may give
 * up, only where it has to. */
static bool confirm(struct scanner *s, const struct candidate *c, size_t n, struct span line,
                    int *gave_up)
{
    const struct pattern_set *set = s->set;
    for (size_t i = 0; i < n; i++)
        if (c[i].id == CERTAIN)
            return true;
    for (size_t i = 0; i < n; i++) {
        bool any = c[i].id == ANY_LOSSY;
        for (size_t k = any ? 0 : c[i].id - 1; k < (any ? set->n : c[i].id); k++)
            if (set->patterns[k].in_database && match_one(s, &set->patterns[k], line, gave_up))
                return true;
    }
    return false;
}

/* A line and the candidates for it, with what Hyperscan did not take. false: the window ends here.
 */
static bool judge(struct scanner *s, struct span window, const struct range32 *at,
                  const struct candidate *c, size_t n)
{
    struct span line = {window.p + at->start, at->end - at->start};
    int gave_up = 0;
    if (confirm(s, c, n, line, &gave_up) || match_any(s, &s->set->block_rest, line, &gave_up))
        return add_hit(s, at->start, at->end);
    if (!gave_up)
        return true;
    stop_at(s, at->start, at->end, gave_up);
    return false;
}

/* Confirms candidates in order. Answers the bytes done. */
static size_t judge_candidates(struct scanner *s, struct span window)
{
    const struct candidate *c = s->candidates;
    bool every_line = s->set->block_rest.n > 0;
    size_t at = 0, next = 0;
    while (every_line ? at < window.n : next < s->candidates_n) {
        size_t first = next, start = every_line ? at : c[next].start;
        while (next < s->candidates_n && c[next].start == start)
            next++;
        size_t end = next > first ? c[first].end : line_end(window, start);
        at = end + 1;
        struct range32 line = {(uint32_t)start, (uint32_t)end};
        if (!judge(s, window, &line, c + first, next - first))
            return at < window.n ? at : window.n;
    }
    return window.n;
}

static size_t fill_by_block(struct scanner *s, struct span window)
{
    while (!hs_find(s, window)) {
        /* More candidates than the list holds: fewer lines at once. */
        struct span less = window_at(s, s->window, window.n / 2);
        if (less.n >= window.n) { /* one line, with thousands of patterns that may match it */
            size_t end = line_end(window, 0);
            s->candidates[0] = (struct candidate){0, (uint32_t)end, ANY_LOSSY};
            s->candidates_n = 1;
            break;
        }
        window = less;
        s->window_max = window.n;
    }
    return judge_candidates(s, window);
}

#endif

/* Both ------------------------------------------------------------------------------------- */

static size_t fill_window(struct scanner *s, struct span window, enum way way)
{
    size_t done = 0;
#ifdef WEIR_HAVE_HYPERSCAN
    if (way == WAY_BLOCK)
        return fill_by_block(s, window);
#endif
    if (fill_by_jumps(s, window, &done))
        return done;
    s->hits_n = 0;
#ifdef WEIR_HAVE_HYPERSCAN
    if (s->set->hs)
        return fill_by_block(s, window);
#endif
    return fill_by_lines(s, window);
}

/* Time of this thread alone: others on its core would make the faster way look slow. */
static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The other way's turn to be measured again? */
static bool trial_is_due(const struct scanner *s)
{
    return !s->pinned && s->bytes >= s->next_trial;
}

static void note_cost(struct scanner *s, enum way way, double cost, bool trial)
{
    double *mine = &s->cost[way];
    *mine = trial || *mine == 0 ? cost : (*mine * 3 + cost) / 4;
    double other = s->cost[!way];
    if (trial) {
        double faster = *mine < other ? *mine : other, slower = *mine < other ? other : *mine;
        double wait = faster > 0 ? TRIAL_EVERY * slower / faster : 0;
        s->next_trial = s->bytes + (uint64_t)(wait < TRIAL_MOST ? wait : TRIAL_MOST);
    }
    if (other > 0)
        s->way = s->cost[WAY_BLOCK] <= s->cost[WAY_JUMP] ? WAY_BLOCK : WAY_JUMP;
}

static status fill(struct scanner *s, error *err)
{
    bool trial = trial_is_due(s) && s->cost[s->way] > 0;
    enum way way = trial ? !s->way : s->way;
    struct span window = window_at(s, s->scanned, trial ? TRIAL_WINDOW : s->window_max);
    if (window.n >= UINT32_MAX)
        return fail(err, WEIR_RECORD, "a line at offset %zu of the block is longer than 4 GiB",
                    s->scanned);
    s->window = s->scanned;
    s->hits_n = s->hits_at = 0;
    bool measured = !s->pinned && window.n >= MEASURE_LEAST &&
                    (trial || s->cost[way] == 0 || s->measured++ % MEASURE_EVERY == 0);
    int64_t before = measured ? now_ns() : 0;
    size_t done = fill_window(s, window, way);
    if (measured)
        note_cost(s, way, (double)(now_ns() - before + 1) * 1024 / (double)done, trial);
    if (s->window_max < WINDOW)
        s->window_max = s->window_max * 2 < WINDOW ? s->window_max * 2 : WINDOW;
    s->bytes += done;
    s->scanned += done;
    return OK;
}

static status told(const struct scanner *s, error *err)
{
    char why[160];
    if (s->bad_code == PCRE2_ERROR_NOMEMORY)
        return fail(err, WEIR_NOMEM, "out of memory for a search");
    if (pcre2_get_error_message(s->bad_code, (PCRE2_UCHAR *)why, sizeof why) < 0)
        why[0] = 0;
    return fail(err, WEIR_RECORD,
                "a pattern takes too long on the line of %u bytes at offset %zu of the block (%s); "
                "use one with less to choose from, such as [^\"]* for .*",
                s->bad.end - s->bad.start, s->window + s->bad.start, why);
}

status scanner_next(struct scanner *s, struct span *line, bool *found, error *err)
{
    *found = false;
    for (;;) {
        if (s->hits_at < s->hits_n) {
            const struct range32 *hit = &s->hits[s->hits_at++];
            line->p = s->block.p + s->window + hit->start;
            line->n = hit->end - hit->start;
            *found = true;
            return OK;
        }
        if (s->gave_up)
            return told(s, err);
        if (s->scanned >= s->block.n)
            return OK;
        if (s->set->every) {
            size_t end = line_end(s->block, s->scanned);
            *line = (struct span){s->block.p + s->scanned, end - s->scanned};
            s->scanned = end + 1;
            *found = true;
            return OK;
        }
        status st = fill(s, err);
        if (st)
            return st;
    }
}
