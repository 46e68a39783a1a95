/* The set of names that are taken; see name.h. One thread: the feeder.
 *
 * An entry is 12 bytes: 40 bits of the name's hash and 56 bits of the URL's. With the 8 bits that
 * choose the shard, two names are taken for one when 48 bits agree: among a million names once in
 * 500 lists, and then a name gets a "~8hex" that it did not need. That another URL passes for the
 * same takes the same name and 56 bits more.
 *
 * There are 256 shards, open-addressed by linear probing. Each grows by an eighth when it is 85 %
 * full, and their sizes are staggered so that they do not grow at once: the sum stays below 16
 * bytes an entry, and the longest pause is that of one shard. No hash is seeded: the same list
 * gives the same names.
 */
#include <stdlib.h>

#include "sink/name.h"

#define SHARDS 256
#define FIRST_PLACES 8
#define STAGGERED_PLACES 256 /* doubling ends and growth by eighths begins about here */

struct entry {
    uint32_t name;  /* bits 8..39 of the name's hash; 0 = free. The place follows from it alone */
    uint32_t mixed; /* its bits 0..7 on top, below them bits 32..55 of the URL's hash */
    uint32_t url;   /* bits 0..31 of the URL's hash */
};

struct shard {
    struct entry *entries;
    uint32_t places, used;
};

struct name_set {
    struct shard shards[SHARDS];
    size_t places; /* of all shards */
};

struct name_set *name_set_new(void)
{
    return calloc(1, sizeof(struct name_set));
}

void name_set_free(struct name_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        free(s->shards[i].entries);
    free(s);
}

size_t name_set_bytes(const struct name_set *s)
{
    return sizeof *s + s->places * sizeof(struct entry);
}

static struct entry make_entry(uint64_t name, uint64_t url)
{
    struct entry e = {.name = (uint32_t)(name >> 8),
                      .mixed = (uint32_t)(name & 0xff) << 24 | (uint32_t)(url >> 32 & 0xffffff),
                      .url = (uint32_t)url};
    if (!e.name)
        e.name = 1;
    return e;
}

/* Multiply-shift spreads evenly over any number of places, and needs no division. */
static uint32_t home_of(const struct entry *e, uint32_t places)
{
    return (uint32_t)((uint64_t)e->name * places >> 32);
}

static bool same_name(const struct entry *a, const struct entry *b)
{
    return a->name == b->name && a->mixed >> 24 == b->mixed >> 24;
}

/* The place of the entry's name, or the free one where it belongs. There is always a free one. */
static struct entry *find(const struct shard *shard, const struct entry *e)
{
    uint32_t i = home_of(e, shard->places);
    while (shard->entries[i].name && !same_name(&shard->entries[i], e))
        i = i + 1 == shard->places ? 0 : i + 1;
    return &shard->entries[i];
}

static uint32_t next_places(uint32_t places, uint32_t shard)
{
    if (places == 0)
        return FIRST_PLACES;
    if (places < STAGGERED_PLACES / 2)
        return places * 2;
    if (places < STAGGERED_PLACES)
        return STAGGERED_PLACES + shard * (STAGGERED_PLACES / 8) / SHARDS;
    return places + places / 8;
}

static bool grow(struct name_set *s, uint32_t index)
{
    struct shard *old = &s->shards[index];
    struct shard bigger = {.places = next_places(old->places, index), .used = old->used};
    bigger.entries = calloc(bigger.places, sizeof(struct entry));
    if (!bigger.entries)
        return false;
    for (uint32_t i = 0; i < old->places; i++)
        if (old->entries[i].name)
            *find(&bigger, &old->entries[i]) = old->entries[i];
    free(old->entries);
    s->places += bigger.places - old->places;
    *old = bigger;
    return true;
}

enum name_claim name_set_claim(struct name_set *s, const char *name, const char *url)
{
    uint64_t hash = hash64(name, strlen(name));
    uint32_t index = (uint32_t)(hash >> 56);
    struct shard *shard = &s->shards[index];
    struct entry e = make_entry(hash & (((uint64_t)1 << 40) - 1), hash64(url, strlen(url)));
    if ((uint64_t)(shard->used + 1) * 20 > (uint64_t)shard->places * 17 && !grow(s, index))
        return NAME_NOMEM;
    struct entry *at = find(shard, &e);
    if (!at->name) {
        *at = e;
        shard->used++;
        return NAME_FREE;
    }
    return at->mixed == e.mixed && at->url == e.url ? NAME_SAME_URL : NAME_TAKEN;
}
