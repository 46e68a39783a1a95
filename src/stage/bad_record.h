/* Records that are no JSON, or on which a program fails: counted, the first one told, and skipped,
 * refused or kept aside as jsonl.bad_records says. Worker of the file.
 */
#ifndef WEIR_STAGE_BAD_RECORD_H
#define WEIR_STAGE_BAD_RECORD_H

#include "stage/builtin.h"

/* `line` with its newline; `why` is bad. RECORD: the file fails by it. */
status bad_record_take(struct stage_context *context, struct span line, uint64_t number,
                       const error *why, error *err);

/* Bytes of a byte order mark at the beginning of a body: it is no part of the first record. */
size_t byte_order_mark(struct span body);
/* The record that a line holds: what stands between its blanks, of which '\r' is one; empty when
 * there is none. */
struct span record_of_line(struct span line);

#endif
