/* URLs without the secrets that stand in them. Any thread. */
#ifndef WEIR_REPORT_REDACT_H
#define WEIR_REPORT_REDACT_H

#include "core/text.h"

/* Appends a URL without user and password: without what stands between "://" and the last '@'
 * before the next '/', '?' or '#', wherever "://" occurs. A text without a scheme is taken for an
 * authority and path, since a URL whose scheme was forgotten has its password still. */
void redact_url(struct strbuf *out, struct span url);

/* The same for URLs within a sentence, where blanks and quotes end them. */
void redact_text(struct strbuf *out, struct span text);

#endif
