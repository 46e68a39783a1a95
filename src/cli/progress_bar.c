/* Progress as bars: a row for each of the largest transfers, and a line for the whole. Signal
 * thread.
 *
 * A row keeps its place as long as its transfer lives, even when larger ones have come meanwhile: a
 * display whose rows change places cannot be read. For the same reason transfers that are over in a
 * moment get no row, and the display grows at once but shrinks only after a while.
 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

/* Look at more transfers than there are rows, so that a row's transfer is still found when it is
 * no longer among the largest. */
enum { SLOTS = 6, LOOKED_AT = 64, SHOWN_AFTER_MS = 400, SHRINK_AFTER_MS = 2000 };

struct slot {
    bool used;
    weir_transfer_info info;
    struct pace pace;
};

struct progress_bars {
    struct slot slots[SLOTS];
    size_t shown;         /* rows, the one for the whole not counted */
    int64_t needed_at_ms; /* when that many were last needed */
    weir_transfer_info infos[LOOKED_AT];
    struct frame frame;
};

struct progress_bars *progress_bars_new(void)
{
    return calloc(1, sizeof(struct progress_bars));
}

void progress_bars_free(struct progress_bars *b)
{
    free(b);
}

static void slot_follow(struct slot *s, const weir_transfer_info *info, int64_t now_ms)
{
    s->info = *info;
    pace_update(&s->pace, info->bytes, now_ms);
}

/* Finds each row's transfer again; rows whose transfer has ended become free. */
static void follow_rows(struct progress_bars *b, size_t n, bool claimed[LOOKED_AT], int64_t now_ms)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &b->slots[i];
        bool found = false;
        for (size_t j = 0; j < n && s->used && !found; j++) {
            if (claimed[j] || strcmp(b->infos[j].name, s->info.name) != 0)
                continue;
            claimed[j] = found = true;
            slot_follow(s, &b->infos[j], now_ms);
        }
        s->used = found;
    }
}

static void fill_rows(struct progress_bars *b, size_t n, bool claimed[LOOKED_AT], size_t rows_max,
                      int64_t now_ms)
{
    size_t next = 0;
    for (size_t i = 0; i < rows_max; i++) {
        if (b->slots[i].used)
            continue;
        while (next < n && (claimed[next] || b->infos[next].elapsed_ms < SHOWN_AFTER_MS))
            next++;
        if (next == n)
            return;
        b->slots[i] = (struct slot){.used = true};
        claimed[next] = true;
        slot_follow(&b->slots[i], &b->infos[next], now_ms);
    }
}

/* How many rows to show: up to the last one in use, and not fewer than a moment ago. */
static void choose_height(struct progress_bars *b, size_t rows_max, int64_t now_ms)
{
    size_t needed = 0;
    for (size_t i = 0; i < rows_max; i++) {
        if (b->slots[i].used)
            needed = i + 1;
    }
    if (needed >= b->shown || now_ms - b->needed_at_ms > SHRINK_AFTER_MS) {
        b->shown = needed;
        b->needed_at_ms = now_ms;
    }
    if (b->shown > rows_max)
        b->shown = rows_max;
}

static size_t rows_for(int lines)
{
    int rows = lines - 3;
    return rows < 0 ? 0 : rows > SLOTS ? SLOTS : (size_t)rows;
}

void progress_bars_draw(struct progress_bars *b, weir_engine *engine, struct screen *screen,
                        const struct progress_sample *sample)
{
    int columns, lines;
    screen_size(screen, &columns, &lines);
    size_t rows_max = rows_for(lines);
    bool claimed[LOOKED_AT] = {false};
    size_t n = weir_engine_transfers(engine, b->infos, LOOKED_AT);
    follow_rows(b, n, claimed, sample->now_ms);
    for (size_t i = rows_max; i < SLOTS; i++)
        b->slots[i].used = false;
    fill_rows(b, n, claimed, rows_max, sample->now_ms);
    choose_height(b, rows_max, sample->now_ms);

    struct bar_look look = screen_look(screen);
    for (size_t i = 0; i < b->shown; i++) {
        struct text t = text_in(b->frame.rows[i], SCREEN_ROW_BYTES);
        const struct slot *s = &b->slots[i];
        if (!s->used)
            continue;
        struct bar_row row = {.bytes = s->info.bytes,
                              .size = s->info.size,
                              .bps = s->pace.weight > 0 ? pace_rate(&s->pace) : -1,
                              .paused = s->info.paused};
        char name[sizeof s->info.name * 4];
        struct text safe = text_in(name, sizeof name);
        text_add_printable(&safe, s->info.name);
        row.name = name;
        bar_layout_row(&t, &row, &look);
    }
    struct text t = text_in(b->frame.rows[b->shown], SCREEN_ROW_BYTES);
    struct bar_whole whole = {.stats = sample->stats, .bps = sample->bps, .left_s = sample->left_s};
    bar_layout_whole(&t, &whole, &look);
    b->frame.n = b->shown + 1;
    screen_show(screen, &b->frame);
}
