/* Hyperscan over whole windows: one database for all patterns that have a tree.
 *
 * A hit is an offset behind a match. It lies in the line of that match, since no tree matches a
 * newline; so the line is known from the offset alone. Hyperscan reports every end of every match,
 * in no promised order: what falls into a line that is already certain is dropped at once, and
 * where lines come out of order they are sorted. The scan is never cut short at a hit.
 *
 * A database it refuses to build (too large, too deep, an anchor in the middle) is no error: the
 * pattern is searched by PCRE2.
 *
 * The database is shared and read-only; the scratch belongs to a scanner and its thread.
 */
#include <stdlib.h>

#include <hs.h>

#include "match/match_plan.h"

#define MAX_REFUSALS 16

struct hs_plan {
    hs_database_t *database;
    const struct pattern *patterns; /* of the set */
    size_t n;
    bool has_lossy;
    bool only_literals; /* all patterns of the set, each whole, are in it */
};

/* What hs_compile_multi takes. */
struct rows {
    const char **expressions;
    unsigned *flags, *ids;
    unsigned n;
};

static void rows_free(struct rows *r)
{
    free(r->expressions);
    free(r->flags);
    free(r->ids);
}

static bool rows_make(struct rows *r, const struct pattern *patterns, size_t n)
{
    r->expressions = malloc((n + 1) * sizeof *r->expressions);
    r->flags = malloc((n + 1) * sizeof *r->flags);
    r->ids = malloc((n + 1) * sizeof *r->ids);
    if (!r->expressions || !r->flags || !r->ids)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct pattern *p = &patterns[i];
        if (!p->search)
            continue;
        r->expressions[r->n] = p->search;
        r->flags[r->n] = HS_FLAG_MULTILINE | HS_FLAG_ALLOWEMPTY |
                         (p->caseless ? (unsigned)HS_FLAG_CASELESS : 0u);
        r->ids[r->n++] = (unsigned)i;
    }
    return true;
}

static void rows_drop(struct rows *r, unsigned at)
{
    r->n--;
    for (unsigned i = at; i < r->n; i++) {
        r->expressions[i] = r->expressions[i + 1];
        r->flags[i] = r->flags[i + 1];
        r->ids[i] = r->ids[i + 1];
    }
}

static void rows_keep_literals(struct rows *r, const struct pattern *patterns)
{
    for (unsigned i = r->n; i-- > 0;)
        if (!patterns[r->ids[i]].literal)
            rows_drop(r, i);
}

/* Compiles what it can; rows that Hyperscan refuses are dropped. NULL: nothing is left. */
static hs_database_t *compile(struct rows *r, const struct pattern *patterns)
{
    for (int refusals = 0; r->n > 0; refusals++) {
        hs_database_t *database = NULL;
        hs_compile_error_t *why = NULL;
        hs_error_t rc = hs_compile_multi(r->expressions, r->flags, r->ids, r->n, HS_MODE_BLOCK,
                                         NULL, &database, &why);
        if (rc == HS_SUCCESS)
            return database;
        int which = why ? why->expression : -1;
        hs_free_compile_error(why);
        if (which >= 0 && (unsigned)which < r->n && refusals < MAX_REFUSALS)
            rows_drop(r, (unsigned)which);
        else if (refusals <= MAX_REFUSALS) {
            rows_keep_literals(r, patterns);
            refusals = MAX_REFUSALS;
        } else
            return NULL;
    }
    return NULL;
}

status hs_plan_make(struct hs_plan **out, struct pattern *patterns, size_t n, error *err)
{
    if (hs_valid_platform() != HS_SUCCESS)
        return OK;
    struct rows rows = {0};
    struct hs_plan *plan = calloc(1, sizeof *plan);
    if (!plan || !rows_make(&rows, patterns, n)) {
        rows_free(&rows);
        free(plan);
        return fail(err, WEIR_NOMEM, "out of memory for the patterns");
    }
    plan->database = compile(&rows, patterns);
    plan->patterns = patterns;
    plan->n = n;
    for (unsigned i = 0; plan->database && i < rows.n; i++) {
        struct pattern *p = &patterns[rows.ids[i]];
        p->in_database = true;
        plan->has_lossy = plan->has_lossy || p->kind == PATTERN_LOSSY;
    }
    rows_free(&rows);
    if (!plan->database) {
        free(plan);
        return OK;
    }
    plan->only_literals = true;
    for (size_t i = 0; i < n; i++)
        plan->only_literals = plan->only_literals && patterns[i].literal &&
                              patterns[i].in_database && patterns[i].kind == PATTERN_EXACT;
    *out = plan;
    return OK;
}

void hs_plan_free(struct hs_plan *plan)
{
    if (!plan)
        return;
    hs_free_database(plan->database);
    free(plan);
}

status hs_scratch_open(struct scanner *s, error *err)
{
    const struct hs_plan *plan = s->set->hs;
    s->candidates = malloc(MAX_CANDIDATES * sizeof *s->candidates);
    if (plan->has_lossy)
        s->seen = calloc(plan->n, sizeof *s->seen);
    if (!s->candidates || (plan->has_lossy && !s->seen) ||
        hs_alloc_scratch(plan->database, &s->scratch) != HS_SUCCESS)
        return fail(err, WEIR_NOMEM, "out of memory for a search");
    return OK;
}

void hs_scratch_close(struct scanner *s)
{
    hs_free_scratch(s->scratch);
    free(s->candidates);
    free(s->seen);
}

/* A scan under way. */
struct scan {
    struct scanner *s;
    struct span window;
    size_t start, end; /* the line of the last hit */
    bool in_line, certain, sorted, full;
};

static bool enter_line(struct scan *scan, size_t at)
{
    struct span w = scan->window;
    if (at == w.n && w.p[w.n - 1] == '\n')
        return false; /* behind the last newline: in no line */
    const char *before = memrchr(w.p, '\n', at);
    const char *newline = memchr(w.p + at, '\n', w.n - at);
    size_t start = before ? (size_t)(before - w.p) + 1 : 0;
    scan->sorted = scan->sorted && (!scan->in_line || start > scan->start);
    scan->start = start;
    scan->end = newline ? (size_t)(newline - w.p) : w.n;
    scan->in_line = true;
    scan->certain = false;
    scan->s->lines_seen++;
    return true;
}

static int on_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                  void *ctx)
{
    struct scan *scan = ctx;
    struct scanner *s = scan->s;
    if (scan->in_line && to >= scan->start && to <= scan->end) {
        if (scan->certain)
            return 0;
    } else if (!enter_line(scan, (size_t)to)) {
        return 0;
    }
    uint32_t as = CERTAIN;
    if (s->set->hs->patterns[id].kind == PATTERN_LOSSY) {
        if (s->seen[id] == s->lines_seen)
            return 0;
        s->seen[id] = s->lines_seen;
        as = ID_OF(id);
    }
    if (s->candidates_n == MAX_CANDIDATES) {
        scan->full = true;
        return 1;
    }
    scan->certain = as == CERTAIN;
    s->candidates[s->candidates_n++] =
        (struct candidate){(uint32_t)scan->start, (uint32_t)scan->end, as};
    return 0;
}

static int by_line(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

bool hs_find(struct scanner *s, struct span window)
{
    struct scan scan = {.s = s, .window = window, .sorted = true};
    s->candidates_n = 0;
    if (window.n == 0)
        return true;
    hs_error_t rc =
        hs_scan(s->set->hs->database, window.p, (unsigned)window.n, 0, s->scratch, on_hit, &scan);
    if (rc != HS_SUCCESS || scan.full)
        return false;
    if (!scan.sorted)
        qsort(s->candidates, s->candidates_n, sizeof *s->candidates, by_line);
    return true;
}

/* The leftmost of many strings. */
struct leftmost {
    const struct pattern *patterns;
    size_t start, id;
};

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                      void *ctx)
{
    struct leftmost *l = ctx;
    size_t start = (size_t)to - l->patterns[id].text.n;
    if (start < l->start || (start == l->start && id < l->id)) {
        l->start = start;
        l->id = id;
    }
    return 0;
}

bool hs_leftmost(struct scanner *s, struct span text, size_t from, size_t *start, size_t *id)
{
    const struct hs_plan *plan = s->set->hs;
    if (!plan->only_literals || text.n - from > UINT32_MAX)
        return false;
    struct leftmost l = {plan->patterns, NOWHERE, NOWHERE};
    if (text.n > from && hs_scan(plan->database, text.p + from, (unsigned)(text.n - from), 0,
                                 s->scratch, on_literal, &l) != HS_SUCCESS)
        return false;
    *start = l.start == NOWHERE ? NOWHERE : l.start + from;
    *id = l.id;
    return true;
}
