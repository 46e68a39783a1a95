/* The positions of the tokens of a JSON text, by simdjson: the only door to C++.
 *
 * Only simdjson's first stage is used. It checks UTF-8, tells strings from what lies between them
 * and finds where each token begins, 64 bytes at a step and 8 GB/s where a block of many lines is
 * looked at in one go. Its second stage (a tree of values) would cost four times as much as the
 * walk of json_walk.c, which checks the grammar and looks at the wanted values in one pass.
 *
 * One index belongs to one thread.
 */
#ifndef WEIR_JSON_SIMDJSON_ADAPTER_H
#define WEIR_JSON_SIMDJSON_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that must be readable behind a text. */
#define JSON_PADDING 64
/* A longer text is not indexed: its index would be four times as large. */
#define JSON_INDEX_MAX ((size_t)16 << 20)

struct json_index;

#ifndef WEIR_HAVE_SIMDJSON
/* Built without: nothing is ever indexed, libjq does all. */
static inline struct json_index *json_index_new(void)
{
    return NULL;
}
static inline void json_index_free(struct json_index *x)
{
    (void)x;
}
static inline bool json_index_build(struct json_index *x, const char *p, size_t n,
                                    const uint32_t **at)
{
    (void)x, (void)p, (void)n, (void)at;
    return false;
}
#else
/* NULL: out of memory, or a CPU that simdjson has no code for. */
struct json_index *json_index_new(void);
void json_index_free(struct json_index *x); /* takes NULL */

/* Indexes p[0, n), whose last byte is '\n'. Gives the offsets of its tokens, in order: each of
 * {}[]:, and the first byte of each string, number, literal or whatever else stands there; behind
 * them, three times, that of the last byte, which no grammar takes. Borrowed until the next call.
 * false: bytes that are not UTF-8, a string that does not end, a control character within one, no
 * memory, or too long. */
bool json_index_build(struct json_index *x, const char *p, size_t n, const uint32_t **at);
#endif

#ifdef __cplusplus
}
#endif
#endif
