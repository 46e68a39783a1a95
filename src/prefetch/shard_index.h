/* The list of shards, by number: read once from beginning to end into an unlinked temporary file,
 * from which any record comes back by one look at its offset and one at its text. In memory stand
 * only the numbers of the pinned ones, and what tells names apart (12 bytes a record).
 *
 * Built by the thread that opens the prefetcher; then shard_get may be called by any thread.
 */
#ifndef WEIR_PREFETCH_SHARD_INDEX_H
#define WEIR_PREFETCH_SHARD_INDEX_H

#include "config/options.h"
#include "core/status.h"
#include "core/text.h"

struct shard_index;

/* A record of the list. Borrowed from `buffer`, which is the caller's; free it with strbuf_free. */
struct shard {
    struct strbuf buffer;
    const char *url;
    const char *name;                      /* final name beneath the cache, its own */
    int64_t size;                          /* -1 = none */
    struct span mirrors, digests, headers; /* as in source/source.h */
};

/* Reads the lists one after the other. Records `start` to `start + limit - 1` are taken (limit 0 =
 * all). INPUT: a line cannot be read, or there is no record. */
status shard_index_open(struct shard_index **out, const char *const *lists, size_t n,
                        weir_config *config, uint64_t start, uint64_t limit, error *err);
void shard_index_close(struct shard_index *x); /* takes NULL */

uint64_t shard_index_count(const struct shard_index *x); /* records taken */
bool shard_index_one_host(const struct shard_index *x);
/* A hash of the names of the first `n` records taken; of all where n is more. */
uint64_t shard_index_hash(const struct shard_index *x, uint64_t n);
/* The i-th pinned one (its number in the list); false: no more. In ascending order. */
bool shard_index_pin(const struct shard_index *x, size_t i, uint64_t *index);

/* `index` counts from the beginning of the list. */
status shard_get(const struct shard_index *x, uint64_t index, struct shard *out, error *err);
/* Its size alone, -1 = none. */
int64_t shard_size(const struct shard_index *x, uint64_t index);

#endif
