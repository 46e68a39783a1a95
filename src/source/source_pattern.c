/* Lists of patterns: URLs with what varies in braces; see source.h. Runs on the feeder.
 *
 *     https://host/shard_{00000..06542}.parquet      every number, padded as it is written
 *     https://host/{0..100..5}.bin                   every fifth
 *     https://host/{train,test}/{a..c}.txt           words and letters; all combinations, the last
 *                                                    group fastest
 *
 * A line of the list may hold several groups, and the list several lines. Nothing is laid out
 * beforehand: each group remembers which of its values is next, like the wheels of a meter.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_pattern; /* its row: source.c */

#define GROUPS_MAX 16
#define NUMBER_DIGITS_MAX 18 /* as many fit 64 bits and leave room for a step */

/* A value of a group, or a range of them. */
struct item {
    struct span text; /* as it stands, when it is no range */
    bool range, letters;
    uint64_t first, last, step;
    int width; /* digits, with zeros before; 0: as many as it takes */
};

struct group {
    struct span body; /* between the braces */
    size_t at;        /* where in it the item at hand begins */
    struct item item;
    uint64_t value; /* of a range, the one that is next */
};

struct pattern_source {
    struct source head;
    struct line_reader *lines;
    struct span line; /* the pattern at hand, borrowed from the reader; n == 0: none */
    size_t group_count;
    struct group group[GROUPS_MAX];
    struct strbuf url;
};

/* ---- items ---- */

static bool read_number(struct span text, uint64_t *value, int *width)
{
    if (!text.n || text.n > NUMBER_DIGITS_MAX || !parse_uint64(text, value))
        return false;
    if (text.n > 1 && text.p[0] == '0' && (int)text.n > *width)
        *width = (int)text.n;
    return true;
}

static bool read_letter(struct span text, uint64_t *value)
{
    char c = text.n == 1 ? text.p[0] : '\0';
    *value = (unsigned char)c;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Cuts what stands before the next ".." off `rest`. */
static struct span cut_bound(struct span *rest, bool *more)
{
    const char *dots = rest->n ? memmem(rest->p, rest->n, "..", 2) : NULL;
    struct span bound = {rest->p, dots ? (size_t)(dots - rest->p) : rest->n};
    size_t used = bound.n + (dots ? 2 : 0);
    rest->p += used, rest->n -= used;
    *more = dots != NULL;
    return bound;
}

/* false: it has ".." in it, but is no range. */
static bool read_item(struct span text, struct item *out)
{
    bool more, ignored = false;
    struct span rest = text, first = cut_bound(&rest, &more), last;
    *out = (struct item){.text = text};
    if (!more)
        return true;
    last = cut_bound(&rest, &more);
    out->range = true;
    out->step = 1;
    int step_width = 0;
    if (more) {
        struct span step = cut_bound(&rest, &ignored);
        if (ignored || !read_number(step, &out->step, &step_width) || !out->step)
            return false;
    }
    out->letters = read_letter(first, &out->first) && read_letter(last, &out->last);
    if (out->letters)
        return true;
    if (!read_number(first, &out->first, &out->width) ||
        !read_number(last, &out->last, &out->width))
        return false;
    /* {00..100} is as wide as its wider end, as in a shell. */
    if (out->width && (int)first.n > out->width)
        out->width = (int)first.n;
    if (out->width && (int)last.n > out->width)
        out->width = (int)last.n;
    return true;
}

static struct span item_text(const struct group *g)
{
    const char *from = g->body.p + g->at;
    size_t left = g->body.n - g->at;
    const char *comma = left ? memchr(from, ',', left) : NULL;
    return (struct span){from, comma ? (size_t)(comma - from) : left};
}

/* The items of a group have been read once, when its line was: so this does not fail. */
static void begin_item(struct group *g, size_t at)
{
    g->at = at;
    read_item(item_text(g), &g->item);
    g->value = g->item.first;
}

/* On to the group's next value; false: it was the last one, and it is at its first again. */
static bool turn(struct group *g)
{
    const struct item *i = &g->item;
    if (i->range && i->first <= i->last && i->last - g->value >= i->step) {
        g->value += i->step;
        return true;
    }
    if (i->range && i->first > i->last && g->value - i->last >= i->step) {
        g->value -= i->step;
        return true;
    }
    size_t next = g->at + item_text(g).n + 1;
    bool more = next <= g->body.n;
    begin_item(g, more ? next : 0);
    return more;
}

/* ---- lines ---- */

static struct place here(const struct pattern_source *s, const char *at)
{
    return (struct place){line_reader_list(s->lines), line_reader_number(s->lines),
                          at ? (size_t)(at - s->line.p) + 1 : 0};
}

static status read_group(struct pattern_source *s, struct span body, error *err)
{
    if (s->group_count == GROUPS_MAX)
        return fail_at(err, here(s, body.p - 1), "a pattern has at most %d groups in braces",
                       GROUPS_MAX);
    struct group *g = &s->group[s->group_count];
    *g = (struct group){.body = body};
    bool more = false;
    for (size_t at = 0; at <= body.n; at += item_text(g).n + 1) {
        g->at = at;
        more = more || at;
        if (!read_item(item_text(g), &g->item))
            return fail_at(err, here(s, body.p + at),
                           "\"%.*s\" is no range; write {0..9}, {000..999}, {0..100..5} or {a..z}",
                           SHOWN(item_text(g)));
        more = more || g->item.range;
    }
    if (!more)
        return fail_at(err, here(s, body.p - 1),
                       "\"{%.*s}\" is neither a range nor a list, as in {0..9} or {a,b}; a brace "
                       "that is one is written %%7B",
                       SHOWN(body));
    begin_item(g, 0);
    s->group_count++;
    return OK;
}

/* Finds the groups of a line. */
static status read_pattern(struct pattern_source *s, error *err)
{
    const char *p = s->line.p, *end = p + s->line.n;
    s->group_count = 0;
    while (p < end) {
        size_t left = (size_t)(end - p);
        const char *open = memchr(p, '{', left), *close = memchr(p, '}', left);
        if (close && (!open || close < open))
            return fail_at(err, here(s, close),
                           "a } without its {; one that is none is written "
                           "%%7D");
        if (!open)
            break;
        const char *inner = close ? memchr(open + 1, '{', (size_t)(close - open - 1)) : NULL;
        if (!close || inner)
            return fail_at(err, here(s, open),
                           "a { without its }; one that is none is written "
                           "%%7B");
        status st = read_group(s, (struct span){open + 1, (size_t)(close - open - 1)}, err);
        if (st)
            return st;
        p = close + 1;
    }
    return OK;
}

static status next_pattern(struct pattern_source *s, struct record *out, error *err)
{
    struct span line = {0};
    bool too_long;
    status st = line_reader_next_said(s->lines, &line, &too_long, err);
    if (st && !too_long)
        return st;
    out->line = line_reader_number(s->lines);
    s->line = line; /* columns count from here */
    if (!st)
        st = line_check_controls(s->lines, span_trim(line), line, "", err);
    if (!st)
        st = read_pattern(s, err);
    if (st) {
        s->line.n = 0;
        if (st == WEIR_INPUT)
            record_refused(out, span_trim(line));
    }
    return st;
}

static void add_value(struct strbuf *out, const struct group *g)
{
    if (!g->item.range)
        strbuf_add(out, g->item.text.p, g->item.text.n);
    else if (g->item.letters)
        strbuf_addc(out, (char)g->value);
    else
        strbuf_addf(out, "%0*llu", g->item.width, (unsigned long long)g->value);
}

static void write_url(struct pattern_source *s)
{
    struct span line = span_trim(s->line);
    const char *p = line.p;
    strbuf_clear(&s->url);
    for (size_t i = 0; i < s->group_count; i++) {
        const struct group *g = &s->group[i];
        strbuf_add(&s->url, p, (size_t)(g->body.p - 1 - p));
        add_value(&s->url, g);
        p = g->body.p + g->body.n + 1;
    }
    strbuf_add(&s->url, p, (size_t)(line.p + line.n - p));
}

static status pattern_next(struct source *source, struct record *out, error *err)
{
    struct pattern_source *s = (struct pattern_source *)source;
    *out = (struct record){.size = -1};
    status st = s->line.n ? OK : next_pattern(s, out, err);
    if (st)
        return st;
    out->line = line_reader_number(s->lines);
    write_url(s);
    if (s->url.failed)
        return fail(err, WEIR_NOMEM, "%s: out of memory for a URL", line_reader_list(s->lines));
    out->url = (struct span){s->url.p, s->url.n};
    if (!out->url.n) {
        record_refused(out, s->line);
        st = fail_at(err, here(s, NULL), "with all of its groups empty the pattern is no URL");
    }
    size_t i = s->group_count;
    while (i && !turn(&s->group[i - 1]))
        i--;
    if (!i)
        s->line.n = 0;
    return st;
}

static void pattern_close(struct source *source)
{
    struct pattern_source *s = (struct pattern_source *)source;
    line_reader_close(s->lines);
    strbuf_free(&s->url);
    free(s);
}

static status pattern_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct pattern_source *s = calloc(1, sizeof *s);
    if (!s) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    s->head.type = &source_pattern;
    status st = line_reader_open(&s->lines, in, list, err);
    if (st) {
        free(s);
        return st;
    }
    *out = &s->head;
    return OK;
}

/* Sure when the first line that says something is a URL with a range of numbers in it. Words in
 * braces may stand in a URL that means them: such a list is told by name. */
static int pattern_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole))
        return 0;
    const char *p = memmem(line.p, line.n, "://", 3), *end = line.p + line.n;
    while (p && (p = memchr(p, '{', (size_t)(end - p)))) {
        p++;
        const char *close = memchr(p, '}', (size_t)(end - p));
        struct item item;
        if (close && read_item((struct span){p, (size_t)(close - p)}, &item) && item.range &&
            !item.letters)
            return 90;
    }
    return 0;
}

const struct source_type source_pattern = {
    .name = "pattern",
    .help = "URLs with ranges and lists in braces, as in https://host/shard_{0000..0999}.tar",
    .sniff = pattern_sniff,
    .open = pattern_open,
    .next = pattern_next,
    .close = pattern_close,
};
