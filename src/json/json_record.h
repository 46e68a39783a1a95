/* One JSON record, looked at by path: what weir_record_* gives to programs (weir/weir.h).
 *
 * A reader belongs to one thread and holds one record at a time.
 */
#ifndef WEIR_JSON_JSON_RECORD_H
#define WEIR_JSON_JSON_RECORD_H

#include "core/status.h"
#include "core/text.h"
#include "weir/weir.h"

/* The public weir_record is the reader with a record in it. */
struct weir_record;

status json_reader_open(struct weir_record **out, error *err);
void json_reader_close(struct weir_record *r); /* takes NULL */

/* Parses `text` (as json_runner_run takes it) as record number `line`. RECORD: no JSON text. What
 * was handed out of the record before is gone. */
status json_reader_set(struct weir_record *r, struct span text, size_t readable, uint64_t line,
                       error *err);

#endif
