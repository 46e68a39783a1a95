/* The Range field (RFC 9110 section 14): which bytes of a body are asked for. Pure; any thread.
 */
#ifndef WEIR_SERVE_BYTE_RANGES_H
#define WEIR_SERVE_BYTE_RANGES_H

#include <stdint.h>

#include "core/text.h"

/* More parts than this, or more bytes than the body has, and the field is ignored: section 14.2
 * allows it, and many small or overlapping ranges are an old way to wear a server out. */
#define RANGES_MAX 64

struct byte_range {
    int64_t first, last; /* both included */
};

enum ranges_verdict {
    RANGES_NONE, /* no field, another unit, malformed, or not worth it: send the whole body */
    RANGES_SOME,
    RANGES_UNSATISFIABLE /* 416 */
};

/* `field` is the value of Range, `size` that of the body. On RANGES_SOME, *n ranges in the order in
 * which they were asked for. */
enum ranges_verdict byte_ranges_parse(struct byte_range out[RANGES_MAX], size_t *n,
                                      struct span field, int64_t size);

#endif
