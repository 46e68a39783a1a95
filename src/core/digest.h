/* The running hash of what a chain has consumed (XXH3, 64 bits): when a server cannot resume, the
 * bytes that come a second time are checked against it before they are dropped. Not for security.
 */
#ifndef WEIR_CORE_DIGEST_H
#define WEIR_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct running_hash;

struct running_hash *running_hash_new(void); /* NULL: out of memory */
void running_hash_free(struct running_hash *h);
void running_hash_reset(struct running_hash *h);
void running_hash_add(struct running_hash *h, const void *data, size_t size);
uint64_t running_hash_value(const struct running_hash *h);

#endif
