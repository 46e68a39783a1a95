/* The running hash; see digest.h. One owner at a time. */
#include "core/digest.h"

#include <xxhash.h>
#ifdef WEIR_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h> /* the same functions, for the processor that runs them */
#endif

/* XXH3 wants its state aligned to 64 bytes, which only its own allocator knows how to do. */
struct running_hash *running_hash_new(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state)
        XXH3_64bits_reset(state);
    return (struct running_hash *)(void *)state;
}

static XXH3_state_t *state_of(const struct running_hash *h)
{
    return (XXH3_state_t *)(uintptr_t)h;
}

void running_hash_free(struct running_hash *h)
{
    XXH3_freeState(state_of(h));
}

void running_hash_reset(struct running_hash *h)
{
    XXH3_64bits_reset(state_of(h));
}

void running_hash_add(struct running_hash *h, const void *data, size_t size)
{
    XXH3_64bits_update(state_of(h), data, size);
}

uint64_t running_hash_value(const struct running_hash *h)
{
    return XXH3_64bits_digest(state_of(h));
}
