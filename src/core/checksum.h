/* Checksums: the digests by which lists and answers vouch for a body.
 *
 * Calculated while the body streams, by OpenSSL (and ISA-L for CRC-32C where it was built with it).
 * A state belongs to one thread at a time; everything else may be called by any.
 */
#ifndef WEIR_CORE_CHECKSUM_H
#define WEIR_CORE_CHECKSUM_H

#include "core/status.h"
#include "core/text.h"

/* In order of strength: of several the last one is what counts. */
enum checksum_kind {
    CHECKSUM_CRC32C, /* RFC 3720 appendix B.4; four bytes, big-endian */
    CHECKSUM_MD5,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_SHA512,
    CHECKSUM_KINDS
};

#define CHECKSUM_MAX 64

struct checksum {
    enum checksum_kind kind;
    unsigned char value[CHECKSUM_MAX]; /* checksum_size(kind) bytes */
};

const char *checksum_name(enum checksum_kind kind); /* "sha256" */
size_t checksum_size(enum checksum_kind kind);      /* bytes of its value */
/* By a name in any usual writing, "sha256", "SHA-256", "sha_256", "md5"; false: none of ours. */
bool checksum_named(struct span name, enum checksum_kind *out);
/* By the number of hexadecimal digits, as in the files of sha256sum; false: of no kind. */
bool checksum_of_digits(size_t digits, enum checksum_kind *out);
/* Hexadecimal digits of either case. INPUT: another length, or no digits; the message says which
 * and how many are wanted. */
status checksum_parse(struct checksum *out, enum checksum_kind kind, struct span hex, error *err);
void checksum_hex(const struct checksum *c, char out[2 * CHECKSUM_MAX + 1]); /* lower case */
bool checksum_equal(const struct checksum *a, const struct checksum *b);

/* Lists of checksums as text: "sha256=HEX" NUL ... and one more NUL, in ascending order of kinds,
 * one of each at most. */

/* Adds to a list without its last NUL (an empty buffer is one). INPUT: another value of that kind
 * stands there already, in a message that names both. */
status checksum_list_add(struct strbuf *list, const struct checksum *c, error *err);
/* Reads the item at *at (a list with its last NUL) and goes on to the next; false: no more. */
bool checksum_list_next(const char **at, struct checksum *out);
/* The strongest of a list, NULL = an empty one; false: there is none. */
bool checksum_list_strongest(const char *list, struct checksum *out);

/* Repr-Digest (RFC 9530 section 3: "sha-256=:BASE64:, ..."; also Content-Digest's and the older
 * Digest's "SHA-256=BASE64") and Content-MD5 (RFC 1864). The strongest that can be read; false:
 * there is none, malformed ones and unknown algorithms are passed over. */
bool checksum_from_repr_digest(struct span value, struct checksum *out);
bool checksum_from_content_md5(struct span value, struct checksum *out);

/* The same the other way, for a request: "sha-256=:BASE64:", and the bare base64. */
void checksum_add_repr_digest(struct strbuf *out, const struct checksum *c);
void checksum_add_base64(struct strbuf *out, const struct checksum *c);

struct checksum_state;

/* NULL: out of memory, or OpenSSL was told not to provide this kind. */
struct checksum_state *checksum_start(enum checksum_kind kind);
/* A state of the same bytes; NULL likewise. */
struct checksum_state *checksum_copy(const struct checksum_state *s);
/* No bytes yet. False: out of memory; it vouches for nothing until a restart succeeds. */
bool checksum_restart(struct checksum_state *s);
void checksum_add(struct checksum_state *s, const void *data, size_t size);
/* What it is up to here; bytes may still be added. */
void checksum_value(const struct checksum_state *s, struct checksum *out);
void checksum_free(struct checksum_state *s); /* takes NULL */

#endif
