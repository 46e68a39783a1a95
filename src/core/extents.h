/* Extents: which bytes of a file are there, when they came in no order. Ascending, and apart from
 * one another: what touches is one. One owner at a time.
 *
 * The text form is "FROM-END,FROM-END", END being the first byte that is not there.
 */
#ifndef WEIR_CORE_EXTENTS_H
#define WEIR_CORE_EXTENTS_H

#include "core/text.h"

struct extent {
    int64_t from, to; /* [from, to) */
};

struct extents {
    struct extent *of;
    size_t n, capacity;
};

void extents_free(struct extents *e); /* back to none */
/* False: out of memory, and nothing has changed. */
bool extents_add(struct extents *e, int64_t from, int64_t to);
bool extents_copy(struct extents *to, const struct extents *from);
/* Nothing at or behind `end` is there. */
void extents_clip(struct extents *e, int64_t end);
/* So many bytes from 0 are there. */
int64_t extents_front(const struct extents *e);
int64_t extents_total(const struct extents *e);
/* The first bytes that are missing of [from, size). False: none. */
bool extents_next_gap(const struct extents *e, int64_t from, int64_t size, struct extent *out);

void extents_format(const struct extents *e, struct strbuf *out);
/* False: no such text, or out of memory; *out is then empty. NULL is the text of none. */
bool extents_parse(struct extents *out, const char *text);

#endif
