/* One JSON text (RFC 8259), value by value from left to right: for lists, whose lines are looked at
 * once, whose fields are not known beforehand, and whose mistakes are told by column.
 *
 * No index and no library: a build without simdjson and libjq reads its lists too. Nothing is
 * copied; strings are borrowed raw and unescaped by who wants them. Any thread, one at a time.
 */
#ifndef WEIR_JSON_JSON_CURSOR_H
#define WEIR_JSON_JSON_CURSOR_H

#include "core/text.h"
#include "weir/weir.h"

struct json_cursor {
    const char *p;
    size_t n, at;
    const char *wrong; /* what stands at p + at instead of JSON; NULL: nothing yet. Sticky */
};

void json_cursor_init(struct json_cursor *c, struct span text);

/* The kind of the value at the cursor, by its first byte. MISSING: no value begins there. */
weir_json_kind json_cursor_kind(struct json_cursor *c);
/* Goes behind the value at the cursor; *text is the value as it stands. false: it is not JSON. */
bool json_cursor_value(struct json_cursor *c, struct span *text);
/* The same where a string must stand; *raw is what stands between its quotes. */
bool json_cursor_string(struct json_cursor *c, struct span *raw);

/* Into the object or the array at the cursor, and on from member to member:
 *     for (bool more = json_cursor_enter(c, '{'); more; more = json_cursor_next(c, '}')) {
 *         json_cursor_key(c, &raw), then json_cursor_value or the like
 *     }
 * Each ends also where something is wrong. */
bool json_cursor_enter(struct json_cursor *c, char bracket);
bool json_cursor_next(struct json_cursor *c, char bracket);
/* The key and its colon. */
bool json_cursor_key(struct json_cursor *c, struct span *raw);

/* Whether nothing but blanks is left; sets `wrong` where something is. */
bool json_cursor_ended(struct json_cursor *c);

#endif
