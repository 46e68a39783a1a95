/* Which of a file's compressed siblings a client would rather have (RFC 9110 section 12.5.3). Pure;
 * any thread.
 */
#ifndef WEIR_SERVE_ACCEPT_ENCODING_H
#define WEIR_SERVE_ACCEPT_ENCODING_H

#include "core/text.h"

struct content_coding {
    const char *name;   /* as in Content-Encoding */
    const char *ending; /* of the sibling */
};

/* Row i, the best first, or NULL after the last. */
const struct content_coding *content_coding_at(size_t i);

/* Weights 0..1000 of each row of content_coding_at for `field` (NULL = absent): 0 = refused, or
 * less wanted than the file as it is. */
#define CODINGS 2
void accept_encoding_weigh(const char *field, int weights[CODINGS]);

#endif
