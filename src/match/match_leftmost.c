/* Where in a line the matches are, for putting out only those.
 *
 * As grep -o does: at each place the match that PCRE2 prefers; where that is empty, the search goes
 * on one byte further. Of several patterns the leftmost match counts, and of those the pattern that
 * was given first. What stands before `from` is still seen by look-behind and \b; but as in grep, a
 * search that does not begin at the line's beginning knows no ^, not even within a look-behind.
 *
 * One thread: the scanner's.
 */
#include "match/match_plan.h"

#define MANY_LITERALS 16 /* from here on one scan for all of them is faster */

struct found {
    size_t start, end;
    bool any;
};

/* The first match of an expression that is not empty. 0, or why PCRE2 gave up. */
static int find_expression(struct scanner *s, const struct pattern *p, struct span line,
                           size_t from, struct found *out)
{
    for (size_t at = from; at <= line.n; at++) {
        int rc = run_code(s, &p->expression, line, at, at > 0 ? PCRE2_NOTBOL : 0, s->context);
        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0)
            return rc;
        const size_t *where = pcre2_get_ovector_pointer(s->data);
        if (where[1] > where[0]) {
            *out = (struct found){where[0], where[1], true};
            return 0;
        }
        at = where[0] > at ? where[0] : at;
    }
    return 0;
}

static int find_one(struct scanner *s, const struct pattern *p, struct span line, size_t from,
                    struct found *out)
{
    if (!p->literal)
        return find_expression(s, p, line, from, out);
    if (p->text.n == 0)
        return 0;
    size_t at = literal_find(p->text, s->set->ignore_case, line, from);
    if (at != NOWHERE)
        *out = (struct found){at, at + p->text.n, true};
    return 0;
}

/* Many strings in one scan. false: not here. */
static bool find_literals(struct scanner *s, struct span line, size_t from, struct found *best)
{
#ifdef WEIR_HAVE_HYPERSCAN
    size_t start, id;
    if (s->set->n < MANY_LITERALS || !s->set->hs || !hs_leftmost(s, line, from, &start, &id))
        return false;
    if (start != NOWHERE)
        *best = (struct found){start, start + s->set->patterns[id].text.n, true};
    return true;
#else
    return false;
#endif
}

status scanner_match(struct scanner *s, struct span line, size_t from, size_t *start, size_t *end,
                     bool *found, error *err)
{
    struct found best = {0};
    bool scanned = from <= line.n && find_literals(s, line, from, &best);
    for (size_t i = 0; !scanned && from <= line.n && i < s->set->n; i++) {
        struct found one = {0};
        int gave_up = find_one(s, &s->set->patterns[i], line, from, &one);
        if (gave_up == PCRE2_ERROR_NOMEMORY)
            return fail(err, WEIR_NOMEM, "out of memory for a search");
        if (gave_up)
            return fail(err, WEIR_RECORD,
                        "a pattern takes too long behind byte %zu of a line of %zu bytes; use one "
                        "with less to choose from, such as [^\"]* for .*",
                        from, line.n);
        if (one.any && (!best.any || one.start < best.start))
            best = one;
    }
    *found = best.any;
    *start = best.start;
    *end = best.end;
    return OK;
}
