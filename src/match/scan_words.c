/* Many strings at once, for builds without Hyperscan.
 *
 * All strings are entered in a table by a hash of a few of their bytes, as many as the shortest of
 * them has (four at most), at the place where they differ most: strings often begin alike. A bitmap
 * of the hashes in use turns nearly every place of the text away; where it does not, the strings of
 * that hash are compared.
 *
 * Immutable once made: any thread.
 */
#include <stdlib.h>

#include "match/match_plan.h"

#define WORTH_IT 64 /* strings; fewer go into one alternation of PCRE2 */
#define SLOTS 65536u
#define MAX_HASHED 4
#define MAX_SKIP 60 /* bytes of a string before those that are hashed */

struct words {
    const struct pattern *patterns; /* of the set */
    size_t skip, hashed;            /* bytes before those that are hashed, and of those */
    unsigned char fold[256];
    uint64_t used[SLOTS / 64];
    uint32_t first[SLOTS + 1]; /* of a slot's strings in `ids` */
    uint32_t *ids;
};

/* Of the string that begins at p. */
static uint32_t slot_of(const struct words *w, const char *p)
{
    uint32_t h = 0;
    for (size_t i = w->skip; i < w->skip + w->hashed; i++)
        h = h << 8 | w->fold[(unsigned char)p[i]];
    return h * 2654435761u >> 16;
}

static bool is_word(const struct pattern *p)
{
    return p->literal && p->kind == PATTERN_EXACT;
}

static size_t count_slots(struct words *w, const struct pattern *patterns, size_t n)
{
    size_t count = 0;
    memset(w->used, 0, sizeof w->used);
    for (size_t i = 0; i < n; i++) {
        if (!is_word(&patterns[i]))
            continue;
        uint32_t slot = slot_of(w, patterns[i].text.p);
        count += !(w->used[slot / 64] >> (slot % 64) & 1);
        w->used[slot / 64] |= (uint64_t)1 << (slot % 64);
    }
    return count;
}

static void choose_skip(struct words *w, const struct pattern *patterns, size_t n, size_t shortest)
{
    size_t best = 0, best_count = 0;
    for (w->skip = 0; w->skip + w->hashed <= shortest && w->skip <= MAX_SKIP; w->skip++) {
        size_t count = count_slots(w, patterns, n);
        if (count > best_count) {
            best = w->skip;
            best_count = count;
        }
    }
    w->skip = best;
    memset(w->used, 0, sizeof w->used);
}

/* A counting sort of the strings by slot. */
static void enter_all(struct words *w, struct pattern *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_word(&patterns[i]))
            w->first[slot_of(w, patterns[i].text.p) + 1]++;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (w->first[slot + 1])
            w->used[slot / 64] |= (uint64_t)1 << (slot % 64);
        w->first[slot + 1] += w->first[slot];
    }
    for (size_t i = n; i-- > 0;) {
        if (!is_word(&patterns[i]))
            continue;
        /* `first` of the slot behind goes down to that slot's own first, one string at a time. */
        uint32_t slot = slot_of(w, patterns[i].text.p);
        w->ids[--w->first[slot + 1]] = (uint32_t)i;
        patterns[i].in_words = true;
    }
    /* Now first[slot + 1] is where `slot` begins. */
    memmove(w->first, w->first + 1, SLOTS * sizeof *w->first);
}

status words_make(struct words **out, struct pattern *patterns, size_t n, bool ignore_case,
                  error *err)
{
    size_t count = 0, shortest = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        if (is_word(&patterns[i])) {
            count++;
            shortest = patterns[i].text.n < shortest ? patterns[i].text.n : shortest;
        }
    if (count < WORTH_IT)
        return OK;
    struct words *w = calloc(1, sizeof *w);
    if (w)
        w->ids = malloc(count * sizeof *w->ids);
    if (!w || !w->ids) {
        words_free(w);
        return fail(err, WEIR_NOMEM, "out of memory for the patterns");
    }
    w->patterns = patterns;
    w->hashed = shortest < MAX_HASHED ? shortest : MAX_HASHED;
    for (unsigned c = 0; c < 256; c++)
        w->fold[c] = (unsigned char)(ignore_case && c >= 'A' && c <= 'Z' ? c | 32 : c);
    choose_skip(w, patterns, n, shortest);
    enter_all(w, patterns, n);
    w->first[SLOTS] = (uint32_t)count;
    *out = w;
    return OK;
}

void words_free(struct words *w)
{
    if (!w)
        return;
    free(w->ids);
    free(w);
}

static bool stands_at(const struct words *w, const struct pattern *word, const char *p, size_t n)
{
    if (word->text.n > n)
        return false;
    for (size_t i = 0; i < word->text.n; i++)
        if (w->fold[(unsigned char)word->text.p[i]] != w->fold[(unsigned char)p[i]])
            return false;
    return true;
}

size_t words_next(const struct words *w, struct span text, size_t from)
{
    for (size_t at = from; at + w->skip + w->hashed <= text.n; at++) {
        uint32_t slot = slot_of(w, text.p + at);
        if (!(w->used[slot / 64] >> (slot % 64) & 1))
            continue;
        for (uint32_t i = w->first[slot]; i < w->first[slot + 1]; i++)
            if (stands_at(w, &w->patterns[w->ids[i]], text.p + at, text.n - at))
                return at;
    }
    return NOWHERE;
}
