/* See precondition.h. Any thread. */
#include "serve/precondition.h"

#include <stdio.h>
#include <time.h>

#include "core/clock.h"
#include "core/text.h"
#include "net/transfer.h"

/* A time of modification is no finer than the kernel's tick, or, where a file system keeps whole
 * seconds, than two of them (FAT). Until that has passed, a file may change once more and keep it.
 */
#define TICK_NS (20 * NS_PER_MS)
#define COARSE_NS (2 * NS_PER_S)

void http_date_of(char out[32], int64_t seconds)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    /* The format has four digits for the year. */
    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        tm = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    snprintf(out, 32, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
             months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void validators_of(struct validators *out, const struct stat *st, const char *coding,
                   int64_t now_ns)
{
    int64_t mtime_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
    int64_t age_ns = now_ns - mtime_ns;
    out->mtime_s = (int64_t)st->st_mtim.tv_sec;
    out->weak = age_ns >= -COARSE_NS && age_ns < (st->st_mtim.tv_nsec ? TICK_NS : COARSE_NS);
    snprintf(out->etag, sizeof out->etag, "%s\"%llx-%llx%s%s\"", out->weak ? "W/" : "",
             (unsigned long long)st->st_size, (unsigned long long)mtime_ns, coding ? "-" : "",
             coding ? coding : "");
    http_date_of(out->last_modified, out->mtime_s);
}

/* ---- entity tags ---- */

static bool is_weak(struct span tag)
{
    return span_starts(tag, "W/");
}

static struct span opaque(struct span tag)
{
    return is_weak(tag) ? (struct span){tag.p + 2, tag.n - 2} : tag;
}

static bool same(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Section 8.8.3.2. */
static bool tags_match(struct span a, struct span b, bool strongly)
{
    if (strongly && (is_weak(a) || is_weak(b)))
        return false;
    return same(opaque(a), opaque(b));
}

/* Takes the next entity-tag off a list; an empty one at its end, or where it is none. */
static struct span take_tag(struct span *list)
{
    while (list->n && (list->p[0] == ',' || list->p[0] == ' ' || list->p[0] == '\t'))
        list->p++, list->n--;
    size_t at = is_weak(*list) ? 2 : 0;
    const char *end = NULL;
    if (at < list->n && list->p[at] == '"')
        end = memchr(list->p + at + 1, '"', list->n - at - 1);
    if (!end)
        return (struct span){list->p, 0};
    struct span tag = {list->p, (size_t)(end + 1 - list->p)};
    list->p += tag.n;
    list->n -= tag.n;
    return tag;
}

static bool list_names(const char *field, const struct validators *v, bool strongly)
{
    struct span list = span_trim(span_of(field)), tag;
    if (!v)
        return false;
    if (span_equal(list, "*"))
        return true;
    while ((tag = take_tag(&list)).n)
        if (tags_match(tag, span_of(v->etag), strongly))
            return true;
    return false;
}

/* ---- the order of section 13.2.2 ---- */

static bool modified_since(const struct validators *v, int64_t date)
{
    return v->mtime_s > date;
}

enum precondition precondition_judge(const struct conditions *c, const struct validators *v,
                                     bool reads)
{
    int64_t date;
    if (c->if_match) {
        if (!list_names(c->if_match, v, true))
            return PRECONDITION_FAILED;
    } else if (c->if_unmodified_since && (date = http_date(c->if_unmodified_since)) != -1) {
        if (!v || modified_since(v, date))
            return PRECONDITION_FAILED;
    }
    if (c->if_none_match) {
        if (list_names(c->if_none_match, v, false))
            return reads ? PRECONDITION_NOT_MODIFIED : PRECONDITION_FAILED;
    } else if (reads && v && c->if_modified_since &&
               (date = http_date(c->if_modified_since)) != -1) {
        if (!modified_since(v, date))
            return PRECONDITION_NOT_MODIFIED;
    }
    return PRECONDITION_HOLDS;
}

/* A date vouches for bytes only where it is older than the answer by a second (section 8.8.2.2). */
bool precondition_range(const struct conditions *c, const struct validators *v, int64_t now_s)
{
    if (!c->if_range)
        return true;
    struct span field = span_trim(span_of(c->if_range));
    if (span_starts(field, "\"") || is_weak(field))
        return tags_match(field, span_of(v->etag), true);
    int64_t date = http_date(c->if_range);
    return date != -1 && date == v->mtime_s && v->mtime_s < now_s;
}
