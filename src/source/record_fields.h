/* Fields of a record: the titles under which lists name them, what their values may be, and where
 * those gather that do not stand in the list as a record hands them out.
 *
 * What every format with named fields shares, so that a column "path", a key "path" and an option
 * "out" mean the same and are refused in the same words. One thread at a time.
 */
#ifndef WEIR_SOURCE_RECORD_FIELDS_H
#define WEIR_SOURCE_RECORD_FIELDS_H

#include "core/checksum.h"
#include "core/status.h"
#include "core/text.h"
#include "source/source.h"

/* More columns or keys of one row are not read. */
#define FIELDS_MAX 1024
#define FIELD_NAME_MAX 256

enum field {
    FIELD_EXTRA,
    FIELD_URL,
    FIELD_NAME,
    FIELD_SIZE,
    FIELD_ID,
    FIELD_MIRRORS,
    FIELD_DIGEST,
    /* only where a format can say them: */
    FIELD_HEADERS,
    FIELD_METHOD,
    FIELD_BODY
};

struct field_title {
    enum field field;
    enum checksum_kind kind; /* FIELD_DIGEST */
};

/* url | filename path out name | size | id | mirrors | headers | method | body, or a digest's name,
 * in either case; everything else is an extra. */
struct field_title field_titled(struct span title);

/* Where something stands in a list. */
struct place {
    const char *list;
    uint64_t line;
    size_t column; /* in bytes, from 1; 0: not told */
};

/* INPUT, "LIST:LINE:COLUMN: " before the message. */
status fail_at(error *err, struct place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A value for a message: at most 64 bytes of it. */
#define SHOWN(s) (int)((s).n < 64 ? (s).n : 64), (s).p

/* The number of bytes, blanks around it aside; an empty one leaves *size alone. */
status field_size(struct span value, int64_t *size, struct place at, error *err);
/* Whether it may be a URL: not empty, and no control characters in it. */
status field_url(struct span value, struct place at, error *err);
/* The same for a text of one line that may be empty; `what` names it, "id". */
status field_line(struct span value, const char *what, struct place at, error *err);
/* RFC 9110 section 5.6.2: a token. */
status field_method(struct span value, struct place at, error *err);

/* A name without "./" before it, as find(1) writes names. */
struct span field_plain_name(struct span name);
/* Whether it is absolute, or ".." stands in it: a name that leads out of its directory. */
bool field_name_leaves(struct span name);

/* ---- what gathers ---- */

/* Each of these is bounded: a list that says more than this of one record says it in vain. */
#define PART_MAX_BYTES ((size_t)512 << 10)

struct record_parts {
    struct strbuf mirrors, digests, headers, extra; /* without their last NUL */
};

void parts_init(struct record_parts *p);
void parts_free(struct record_parts *p);
void parts_clear(struct record_parts *p);

void parts_add_mirror(struct record_parts *p, struct span url);
/* The value is a digest in hexadecimal, blanks around it aside; an empty one adds nothing. */
status parts_add_digest(struct record_parts *p, enum checksum_kind kind, struct span hex,
                        struct place at, error *err);
/* RFC 9110 section 5.1: "Name: value"; the value may be empty. */
status parts_add_header(struct record_parts *p, struct span header, struct place at, error *err);
/* Neither holds a NUL; without a name or a value nothing is added. */
void parts_add_extra(struct record_parts *p, struct span name, struct span value);

/* Ends what has gathered and lends it to *out. */
status parts_lend(struct record_parts *p, struct record *out, struct place at, error *err);

/* What a record that cannot be read still says: its line, and `shown` where it has no URL. */
void record_refused(struct record *out, struct span shown);

#endif
