/* Provenance: where some bytes came from and what vouches for them, in one format.
 *
 * Resume records (beside a .part), the journal, conditional updates and prefetch all keep this. The
 * text form is lines of "key TAB value" under a first line "weir 1", or "weir 2" with extents;
 * unknown keys are kept out, a missing first line means that it is not ours, and a "weir 2" ends
 * with a check of itself. Values are escaped like JSON strings without quotes.
 *
 * A resume record also says which bytes may be trusted: after a crash of the program, all that were
 * written (`written`, or the file's size when it is smaller); after another boot, only `synced`.
 */
#ifndef WEIR_CORE_PROVENANCE_H
#define WEIR_CORE_PROVENANCE_H

#include "core/status.h"
#include "core/text.h"

struct provenance {
    char *url;           /* without user, password and fragment */
    char *etag;          /* as sent, quotes and W/ included; NULL = none */
    char *last_modified; /* as sent; NULL = none */
    char *date;          /* Date of the same response, as sent: makes last_modified strong or not */
    int64_t size;        /* of the whole body, -1 = unknown */
    int64_t written;     /* bytes from 0 that the .part holds */
    int64_t synced;      /* bytes from 0 that have been synced to disk */
    char boot_id[40];    /* of the boot in which `written` holds */
    /* Of a .part that was written in no order (extents.h): what it holds, `written` being only the
     * first of it, and what has been synced. NULL: it was written from front to back. */
    char *extents, *synced_extents;
};

void provenance_init(struct provenance *p); /* sizes -1 and 0, strings NULL */
void provenance_free(struct provenance *p); /* frees the strings; back to init */
/* What is held lies in one piece from byte 0. */
void provenance_forget_extents(struct provenance *p);
status provenance_copy(struct provenance *to, const struct provenance *from);
void provenance_format(const struct provenance *p, struct strbuf *out);
/* RECORD when the text is not a provenance record. */
status provenance_parse(struct provenance *out, struct span text, error *err);

/* The validator that may stand in If-Range (RFC 9110 section 13.1.5): a strong ETag, or a
 * Last-Modified that is at least one second older than Date (RFC 9110 section 8.8.2.2). NULL =
 * none. Borrowed from p. */
const char *provenance_strong_validator(const struct provenance *p);

#endif
