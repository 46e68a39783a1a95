/* What a progress display says, laid out for a number of columns. Signal thread; pure.
 *
 * Columns are fixed for a given width, so that a number which grows moves nothing beside it. When
 * the terminal is narrow, what matters least is left out first; nothing is ever broken over two
 * lines.
 */
#include "cli/bar_layout.h"

#include <string.h>

#define DIM "\x1b[2m"
#define RED "\x1b[31m"
#define GREEN "\x1b[32m"
#define RESET "\x1b[0m"

/* A bar of `columns` columns, `share` of it filled; share < 0 = unknown. */
static void add_bar(struct text *out, double share, int columns, const struct bar_look *look)
{
    int filled = share < 0 ? 0 : (int)(share * columns + 1e-9);
    if (filled > columns)
        filled = columns;
    if (look->colour)
        text_add(out, GREEN);
    text_repeat(out, look->utf8 ? "━" : "=", filled);
    if (look->colour)
        text_add(out, RESET DIM);
    text_repeat(out, look->utf8 ? "─" : "-", columns - filled);
    if (look->colour)
        text_add(out, RESET);
}

/* Bytes done of size, 0..1; -1 = unknown. */
static double share_of(int64_t bytes, int64_t size)
{
    if (size <= 0 || bytes < 0)
        return -1;
    return bytes >= size ? 1 : (double)bytes / (double)size;
}

/* `s` in exactly `columns` columns, at the right end of them. */
static void add_right(struct text *out, const char *s, int columns)
{
    text_repeat(out, " ", columns - text_columns(s));
    text_add_cut(out, s, columns);
}

void bar_layout_row(struct text *out, const struct bar_row *r, const struct bar_look *look)
{
    enum {
        PERCENT = 5,
        BYTES = 12,
        SPEED = 14,
        BAR_MIN = 6,
        BAR_MAX = 40,
        NAME_MIN = 12,
        NAME_MAX = 64
    };
    int room = look->columns - 1;
    double share = share_of(r->bytes, r->size);
    int left = room - NAME_MIN - PERCENT;
    bool with_speed = left >= SPEED;
    left -= with_speed ? SPEED : 0;
    bool with_bytes = left >= BYTES;
    left -= with_bytes ? BYTES : 0;
    int bar = left / 2 < BAR_MIN ? 0 : left / 2 > BAR_MAX ? BAR_MAX : left / 2;
    int percent = room > PERCENT + 4 ? PERCENT : 0;
    int name =
        room - percent - (with_speed ? SPEED : 0) - (with_bytes ? BYTES : 0) - (bar ? bar + 1 : 0);
    name = name > NAME_MAX ? NAME_MAX : name;

    char number[SHOW_MAX];
    int used = text_add_cut(out, r->name, name);
    text_repeat(out, " ", name - used);
    if (bar) {
        text_add(out, " ");
        add_bar(out, share, bar, look);
    }
    if (percent) {
        struct text t = text_in(number, sizeof number);
        if (share >= 0)
            text_addf(&t, "%d%%", (int)(share * 100));
        add_right(out, number, percent);
    }
    if (with_bytes)
        add_right(out, show_bytes(number, r->bytes), BYTES);
    if (with_speed && r->paused && r->bps < 1)
        add_right(out, "paused", SPEED);
    else if (with_speed)
        add_right(out, r->bps < 0 ? "" : show_speed(number, r->bps), SPEED);
}

/* A piece of the line for the whole. */
struct piece {
    char text[96];
    int rank;           /* 0 stays longest */
    const char *colour; /* or NULL */
};

enum { PIECES = 7 };

/* "1,204 of 10,000 files"; "of 5,000+" while lists are still being read. */
static void add_count(struct piece *p, const weir_stats *s, bool brief)
{
    char done[SHOW_MAX], found[SHOW_MAX];
    struct text t = text_in(p->text, sizeof p->text);
    show_count(done, s->done + s->skipped);
    show_count(found, s->found);
    text_addf(&t, brief ? "%s/%s%s" : "%s of %s%s", done, found, s->all_found ? "" : "+");
    p->rank = 0;
}

static size_t pieces_of(struct piece p[PIECES], const struct bar_whole *w, bool brief)
{
    const weir_stats *s = &w->stats;
    char number[SHOW_MAX];
    size_t n = 0;
    memset(p, 0, PIECES * sizeof *p);
    add_count(&p[n++], s, brief);
    if (s->failed) {
        struct text t = text_in(p[n].text, sizeof p[n].text);
        text_addf(&t, brief ? "%s bad" : "%s failed", show_count(number, s->failed));
        p[n].colour = RED;
        p[n++].rank = 1;
    }
    struct text t = text_in(p[n].text, sizeof p[n].text);
    text_add(&t, show_bytes(number, s->bytes));
    p[n++].rank = 4;
    t = text_in(p[n].text, sizeof p[n].text);
    text_add(&t, show_speed(number, w->bps));
    p[n++].rank = 2;
    if (w->left_s >= 0) {
        t = text_in(p[n].text, sizeof p[n].text);
        text_addf(&t, "%s left", show_clock(number, w->left_s));
        p[n++].rank = 3;
    }
    if (s->waiting > 0) {
        t = text_in(p[n].text, sizeof p[n].text);
        text_addf(&t, "%s waiting", show_count(number, (uint64_t)s->waiting));
        p[n++].rank = 5;
    }
    return n;
}

static int columns_of(const struct piece *p, size_t n, int rank)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i].rank <= rank)
            sum += (sum ? 2 : 0) + text_columns(p[i].text);
    }
    return sum;
}

/* How much of the run is over: by files, and by bytes once all sizes are on the table. */
static double share_of_run(const weir_stats *s)
{
    uint64_t ended = s->done + s->skipped + s->failed;
    uint64_t flying = s->in_flight > 0 ? (uint64_t)s->in_flight : 0;
    if (ended + flying >= s->found && s->bytes_known > 0 && s->bytes <= s->bytes_known)
        return share_of(s->bytes, s->bytes_known);
    return ended >= s->found ? 1 : (double)ended / (double)s->found;
}

void bar_layout_whole(struct text *out, const struct bar_whole *w, const struct bar_look *look)
{
    struct piece p[PIECES];
    int room = look->columns - 1;
    bool brief = false;
    size_t n = pieces_of(p, w, false);
    if (columns_of(p, n, 1) > room) {
        brief = true;
        n = pieces_of(p, w, true);
    }
    int rank = 5;
    while (rank > 0 && columns_of(p, n, rank) > room)
        rank--;
    int spare = room - columns_of(p, n, rank);
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (p[i].rank > rank)
            continue;
        if (!first)
            text_add(out, "  ");
        if (look->colour && p[i].colour)
            text_add(out, p[i].colour);
        text_add_cut(out, p[i].text, room);
        if (look->colour && p[i].colour)
            text_add(out, RESET);
        if (first && !brief && spare >= 6 && rank == 5) {
            text_add(out, " files");
            spare -= 6;
        }
        first = false;
    }
    if (w->stats.all_found && w->stats.found && spare >= 14) {
        text_add(out, "  ");
        add_bar(out, share_of_run(&w->stats), spare - 2 > 30 ? 30 : spare - 2, look);
    }
}
