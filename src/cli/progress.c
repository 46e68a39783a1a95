/* Progress: how the run is getting on. Signal thread while the run lasts, then the main thread.
 *
 * One sample of the engine's counters a tick, from which the smoothed figures are made; the styles
 * only say them.
 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BAR_INTERVAL_MS = 200,
    PLAIN_INTERVAL_MS = 5000,
    JSON_INTERVAL_MS = 1000,
    LINE_MAX_BYTES = 1024
};

struct progress {
    weir_engine *engine;
    struct screen *screen;
    enum progress_style style;
    int64_t interval_ms;
    struct pace bytes, files;
    struct countdown countdown;
    struct progress_bars *bars;
    char last_line[LINE_MAX_BYTES];
    void (*line)(struct text *out, enum progress_style style, bool final, void *user);
    void *user;
    struct frame *frame; /* of the style bar, where `line` makes it */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t interval_of(enum progress_style style, int64_t wanted_ms)
{
    switch (style) {
    case PROGRESS_NONE:
        return 0;
    case PROGRESS_BAR: /* more than five a second only flickers */
        return wanted_ms > BAR_INTERVAL_MS ? wanted_ms : BAR_INTERVAL_MS;
    case PROGRESS_PLAIN:
        return wanted_ms > 0 ? wanted_ms : PLAIN_INTERVAL_MS;
    case PROGRESS_JSON:
        return wanted_ms > 0 ? wanted_ms : JSON_INTERVAL_MS;
    }
    return 0;
}

struct progress *progress_new(const struct progress_setup *setup)
{
    struct progress *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->engine = setup->engine;
    p->screen = setup->screen;
    p->style = setup->style;
    p->interval_ms = interval_of(setup->style, setup->interval_ms);
    p->line = setup->line;
    p->user = setup->user;
    if (p->style == PROGRESS_BAR) {
        p->bars = p->line ? NULL : progress_bars_new();
        p->frame = p->line ? calloc(1, sizeof *p->frame) : NULL;
        if (!p->bars && !p->frame) {
            free(p);
            return NULL;
        }
    }
    return p;
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    progress_bars_free(p->bars);
    free(p->frame);
    free(p);
}

int64_t progress_interval_ms(const struct progress *p)
{
    return p->interval_ms;
}

static struct progress_sample sample_of(struct progress *p, const weir_stats *stats)
{
    struct progress_sample s = {.stats = *stats, .now_ms = now_ms()};
    if (!p->bytes.begun) {
        pace_update(&p->bytes, 0, s.now_ms - stats->elapsed_ms);
        pace_update(&p->files, 0, s.now_ms - stats->elapsed_ms);
    }
    pace_update(&p->bytes, stats->bytes, s.now_ms);
    pace_update(&p->files, (int64_t)(stats->done + stats->skipped + stats->failed), s.now_ms);
    s.bps = pace_rate(&p->bytes);
    double left = left_estimate(stats, s.bps, pace_rate(&p->files));
    s.left_s = countdown_update(&p->countdown, left, s.now_ms);
    return s;
}

static void print_line(struct progress *p, const struct progress_sample *sample, bool final)
{
    char line[LINE_MAX_BYTES];
    struct text t = text_in(line, sizeof line);
    if (p->style == PROGRESS_JSON)
        progress_json_line(&t, sample, final);
    else
        progress_plain_line(&t, sample);
    if (!final && p->style == PROGRESS_PLAIN && strcmp(line, p->last_line) == 0)
        return;
    memcpy(p->last_line, line, t.n + 1);
    if (final)
        screen_say(p->screen, TONE_PLAIN, "%s", line);
    else
        screen_notice(p->screen, TONE_PLAIN, "%s", line);
}

static void tick_own_line(struct progress *p, bool final)
{
    char line[LINE_MAX_BYTES];
    if (p->style == PROGRESS_BAR && !final) {
        struct text row = text_in(p->frame->rows[0], SCREEN_ROW_BYTES);
        p->line(&row, p->style, final, p->user);
        p->frame->n = 1;
        screen_show(p->screen, p->frame);
        return;
    }
    struct text t = text_in(line, sizeof line);
    p->line(&t, p->style, final, p->user);
    if (!final && p->style == PROGRESS_PLAIN && strcmp(line, p->last_line) == 0)
        return;
    memcpy(p->last_line, line, t.n + 1);
    screen_notice(p->screen, TONE_PLAIN, "%s", line);
}

void progress_tick(struct progress *p)
{
    weir_stats stats;
    if (p->style == PROGRESS_NONE)
        return;
    if (p->line) {
        tick_own_line(p, false);
        return;
    }
    weir_engine_stats(p->engine, &stats);
    struct progress_sample sample = sample_of(p, &stats);
    if (p->style == PROGRESS_BAR)
        progress_bars_draw(p->bars, p->engine, p->screen, &sample);
    else
        print_line(p, &sample, false);
}

void progress_resized(struct progress *p)
{
    if (p->style == PROGRESS_BAR)
        progress_tick(p);
}

void progress_finish(struct progress *p, const weir_stats *last)
{
    if (p->style == PROGRESS_BAR)
        screen_show(p->screen, &(struct frame){.n = 0});
    if (p->style != PROGRESS_JSON)
        return;
    if (p->line) {
        tick_own_line(p, true);
        return;
    }
    struct progress_sample sample = sample_of(p, last);
    /* The last figure is the mean of the run, not of its last seconds. */
    if (last->elapsed_ms > 0)
        sample.bps = (double)last->bytes * 1000 / (double)last->elapsed_ms;
    sample.stats.in_flight = sample.stats.waiting = 0;
    print_line(p, &sample, true);
}
