/* See extents.h. There are never more of them than a file has connections, or a few, so they are
 * walked from one end.
 */
#include "core/extents.h"

#include <stdlib.h>

#include "core/array.h"

#define EXTENTS_MAX 65536 /* of a text: no file is fetched in more pieces */

void extents_free(struct extents *e)
{
    free(e->of);
    *e = (struct extents){0};
}

static bool reserve_one(struct extents *e)
{
    struct extent *roomy = array_grow(e->of, e->n, &e->capacity, sizeof *roomy);
    if (roomy)
        e->of = roomy;
    return roomy;
}

bool extents_add(struct extents *e, int64_t from, int64_t to)
{
    size_t first = 0;
    if (from >= to)
        return true;
    while (first < e->n && e->of[first].to < from)
        first++;
    size_t last = first; /* behind those that it touches */
    while (last < e->n && e->of[last].from <= to)
        last++;
    if (first == last && !reserve_one(e))
        return false;
    struct extent joined = {from, to};
    if (first < last) {
        if (e->of[first].from < from)
            joined.from = e->of[first].from;
        if (e->of[last - 1].to > to)
            joined.to = e->of[last - 1].to;
    }
    if (e->n > last && last != first + 1)
        memmove(&e->of[first + 1], &e->of[last], (e->n - last) * sizeof *e->of);
    e->n += 1 - (last - first);
    e->of[first] = joined;
    return true;
}

bool extents_copy(struct extents *to, const struct extents *from)
{
    struct extents copy = {0};
    for (size_t i = 0; i < from->n; i++)
        if (!extents_add(&copy, from->of[i].from, from->of[i].to)) {
            extents_free(&copy);
            return false;
        }
    extents_free(to);
    *to = copy;
    return true;
}

void extents_clip(struct extents *e, int64_t end)
{
    while (e->n && e->of[e->n - 1].from >= end)
        e->n--;
    if (e->n && e->of[e->n - 1].to > end)
        e->of[e->n - 1].to = end;
}

int64_t extents_front(const struct extents *e)
{
    return e->n && e->of[0].from == 0 ? e->of[0].to : 0;
}

int64_t extents_total(const struct extents *e)
{
    int64_t total = 0;
    for (size_t i = 0; i < e->n; i++)
        total += e->of[i].to - e->of[i].from;
    return total;
}

bool extents_next_gap(const struct extents *e, int64_t from, int64_t size, struct extent *out)
{
    size_t i = 0;
    while (i < e->n && e->of[i].to <= from)
        i++;
    if (i < e->n && e->of[i].from <= from)
        from = e->of[i++].to;
    *out = (struct extent){from, i < e->n && e->of[i].from < size ? e->of[i].from : size};
    return out->from < out->to;
}

void extents_format(const struct extents *e, struct strbuf *out)
{
    for (size_t i = 0; i < e->n; i++)
        strbuf_addf(out, "%s%lld-%lld", i ? "," : "", (long long)e->of[i].from,
                    (long long)e->of[i].to);
}

/* "12-34" and the comma behind it. */
static bool parse_one(struct extent *out, const char **p)
{
    uint64_t from, to;
    size_t n = strspn(*p, "0123456789");
    if ((*p)[n] != '-' || !parse_uint64((struct span){*p, n}, &from))
        return false;
    *p += n + 1;
    n = strspn(*p, "0123456789");
    if (((*p)[n] && (*p)[n] != ',') || !parse_uint64((struct span){*p, n}, &to))
        return false;
    *p += n;
    if (**p == ',' && !*++*p)
        return false;
    *out = (struct extent){(int64_t)from, (int64_t)to};
    return from < to && to <= INT64_MAX;
}

bool extents_parse(struct extents *out, const char *text)
{
    struct extents e = {0};
    int64_t end = -1;
    bool ok = true;
    for (const char *p = text; ok && p && *p;) {
        struct extent one;
        ok = e.n < EXTENTS_MAX && parse_one(&one, &p) && one.from > end &&
             extents_add(&e, one.from, one.to);
        end = ok ? one.to : end;
    }
    if (!ok)
        extents_free(&e);
    *out = e;
    return ok;
}
