/* Dates of HTTP headers, in the one form that is to be sent.
 */
#ifndef WEIR_CORE_HTTP_DATE_H
#define WEIR_CORE_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* An IMF-fixdate (RFC 9110 section 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT", in seconds since the
 * epoch. False: another form, of which there are two obsolete ones, or none. */
bool imf_fixdate(const char *text, int64_t *out);

#endif
