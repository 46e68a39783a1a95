/* The set of names that are taken; see name.h. One thread: the feeder.
 *
 * An entry is 48 bits of the name's hash and 48 bits of the URL's, in 11 bytes: the upper 8 bits of
 * the name's hash follow from where the entry stands. Two names pass for one when their 48 bits
 * agree: among a million names once in 500 lists, and then a name gets a "~8hex" that it did not
 * need. A URL would be lost, as a duplicate, when 48 bits of its own agree as well: among a million
 * names once in 10^17 lists, and where a million URLs want one and the same name once in 10^7. No
 * hash is seeded: the same list gives the same names.
 *
 * One table, addressed by the name's hash and kept in its order: an entry stands at its home or, as
 * near as its forerunners allow, behind it. So a search ends at the first entry that is not
 * smaller, and the table may be nearly full. An entry that comes in pushes those behind it on by
 * one place, up to the next free one, some hundred places away. The table grows by a twentieth when
 * 95 % of its homes are taken: 12 bytes an entry on average, and a pause of some milliseconds for
 * each million entries. `start` says where the entries of each upper byte stand; those that are
 * pushed over the last home stand in a tail.
 *
 * The memory is a mapping of its own that grows by mremap, without a copy and without the hole that
 * the growth of so large a block would leave among other allocations.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "sink/name.h"

#define PAGE 4096u
#define WIDTH 11u /* bytes of an entry */
#define PREFIXES 256u
#define TAIL 64u           /* places behind the last home, at least */
#define LARGE_HOMES 16384u /* from here on growth is by a twentieth, before by a quarter */
#define PLACES_MAX (UINT32_MAX - PAGE)

/* An entry, as it is in the table. Upper 40 bits of the key: bits 0..39 of the name's hash, 0 in a
 * free place; lower 24 bits and `rest`: the URL's hash. */
struct entry {
    uint64_t key;
    uint8_t rest[WIDTH - sizeof(uint64_t)];
};

struct name_set {
    uint8_t *table;
    uint32_t homes, places, used; /* places: the homes and the tail */
    uint32_t start[PREFIXES + 1]; /* prefix p stands in [start[p], start[p + 1]) */
    uint32_t count[PREFIXES];     /* entries of it */
};

/* ------------------------------------------------------------------ places */

static uint8_t *place(const struct name_set *s, uint32_t at)
{
    return s->table + (size_t)at * WIDTH;
}

static uint64_t name_at(const struct name_set *s, uint32_t at)
{
    uint64_t key;
    memcpy(&key, place(s, at), sizeof key);
    return key >> 24;
}

static bool is_free(const struct name_set *s, uint32_t at)
{
    return name_at(s, at) == 0;
}

/* Multiply-shift keeps the order, and spreads evenly over any number of homes. */
static uint32_t home_of(const struct name_set *s, uint32_t prefix, uint64_t name)
{
    uint64_t upper = (uint64_t)prefix << 24 | name >> 16;
    return (uint32_t)(upper * s->homes >> 32);
}

/* ------------------------------------------------------------------ growing */

static size_t bytes_for(uint64_t places)
{
    return (size_t)(places * WIDTH + PAGE - 1) / PAGE * PAGE;
}

/* Gives the table that many places and what is left of the last page. New ones are free. */
static bool resize(struct name_set *s, uint64_t places)
{
    if (places > PLACES_MAX)
        return false;
    size_t was = bytes_for(s->places), is = bytes_for(places);
    void *table = s->table
                      ? mremap(s->table, was, is, MREMAP_MAYMOVE)
                      : mmap(NULL, is, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        return false;
    s->table = table;
    s->places = s->start[PREFIXES] = (uint32_t)(is / WIDTH);
    return true;
}

/* Moves all entries, in their order, to the end of the table. */
static void gather(struct name_set *s)
{
    uint32_t to = s->places;
    for (uint32_t end = s->places, from; end > 0; end = from) {
        while (end > 0 && is_free(s, end - 1))
            end--;
        from = end;
        while (from > 0 && !is_free(s, from - 1))
            from--;
        to -= end - from;
        memmove(place(s, to), place(s, from), (size_t)(end - from) * WIDTH);
    }
}

/* Moves them from there to where they belong. None belongs behind the place where it waits: those
 * after it fit between, see grow(). */
static void spread(struct name_set *s)
{
    uint32_t from = s->places - s->used, next = 0;
    for (uint32_t prefix = 0; prefix < PREFIXES; prefix++) {
        uint32_t base = home_of(s, prefix, 0);
        s->start[prefix] = base > next ? base : next;
        for (uint32_t n = s->count[prefix]; n > 0; n--, from++) {
            uint32_t home = home_of(s, prefix, name_at(s, from));
            uint32_t to = home > next ? home : next;
            memset(place(s, next), 0, (size_t)(to - next) * WIDTH);
            memmove(place(s, to), place(s, from), WIDTH);
            next = to + 1;
        }
    }
    memset(place(s, next), 0, (size_t)(s->places - next) * WIDTH);
}

/* Gives the table more homes. A tail as long as what stands in it stays long enough: with their
 * number the distance of each home from the last one grows, so that no more entries than before are
 * pushed over it. */
static bool grow(struct name_set *s)
{
    uint32_t tail = TAIL, last = s->places;
    while (last > 0 && is_free(s, last - 1))
        last--;
    if (last > s->homes + tail)
        tail = last - s->homes;
    uint64_t homes = (uint64_t)s->homes + s->homes / (s->homes < LARGE_HOMES ? 4 : 20);
    if (!resize(s, homes + tail))
        return false;
    gather(s);
    s->homes = s->places - tail;
    spread(s);
    return true;
}

struct name_set *name_set_new(void)
{
    struct name_set *s = calloc(1, sizeof *s);
    if (!s || !resize(s, PAGE / WIDTH)) {
        free(s);
        return NULL;
    }
    s->homes = s->places - TAIL;
    spread(s);
    return s;
}

void name_set_free(struct name_set *s)
{
    if (!s)
        return;
    munmap(s->table, bytes_for(s->places));
    free(s);
}

size_t name_set_bytes(const struct name_set *s)
{
    return sizeof *s + bytes_for(s->places);
}

/* ------------------------------------------------------------------ claiming */

/* The place of the name, or where it belongs. */
static uint32_t find(const struct name_set *s, uint32_t prefix, uint64_t name)
{
    uint32_t at = home_of(s, prefix, name), end = s->start[prefix + 1];
    if (at < s->start[prefix])
        at = s->start[prefix];
    while (at < end && !is_free(s, at) && name_at(s, at) < name)
        at++;
    return at;
}

/* Frees the place, by pushing what stands there and behind it on by one. */
static bool make_room(struct name_set *s, uint32_t prefix, uint32_t at)
{
    uint32_t end = at;
    while (end < s->places && !is_free(s, end))
        end++;
    if (end == s->places && !resize(s, (uint64_t)s->places + s->places / 16 + TAIL))
        return false;
    memmove(place(s, at + 1), place(s, at), (size_t)(end - at) * WIDTH);
    for (uint32_t p = prefix + 1; p < PREFIXES && s->start[p] <= end; p++)
        s->start[p]++;
    return true;
}

enum name_claim name_set_claim(struct name_set *s, const char *name, const char *url)
{
    uint64_t name_hash = hash64(name, strlen(name)), url_hash = hash64(url, strlen(url));
    uint32_t prefix = (uint32_t)(name_hash >> 40 & 0xff);
    uint64_t low = name_hash & (((uint64_t)1 << 40) - 1);
    if (!low)
        low = 1;
    struct entry e = {
        .key = low << 24 | (url_hash & 0xffffff),
        .rest = {(uint8_t)(url_hash >> 24), (uint8_t)(url_hash >> 32), (uint8_t)(url_hash >> 40)}};

    if ((uint64_t)s->used * 20 >= (uint64_t)s->homes * 19 && !grow(s))
        return NAME_NOMEM;
    uint32_t at = find(s, prefix, low);
    if (at < s->start[prefix + 1] && name_at(s, at) == low)
        return memcmp(place(s, at), &e, WIDTH) == 0 ? NAME_SAME_URL : NAME_TAKEN;
    if (!make_room(s, prefix, at))
        return NAME_NOMEM;
    memcpy(place(s, at), &e, WIDTH);
    s->count[prefix]++;
    s->used++;
    return NAME_FREE;
}
