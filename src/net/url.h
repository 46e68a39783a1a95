/* URLs (RFC 3986), by libcurl's parser. Any thread.
 */
#ifndef WEIR_NET_URL_H
#define WEIR_NET_URL_H

#include "core/status.h"
#include "core/text.h"

/* A parsed URL. Spans point into `text`, which lives in `buffer`. */
struct url {
    struct strbuf buffer; /* owns the text; reuse the struct to spare allocations */
    struct span
        text; /* normalised: lower-case scheme and host, spaces and controls encoded, no fragment */
    struct span scheme, user, password, host, path,
        query; /* percent-encoded; path begins with '/' */
               /* absent parts have p NULL; an IPv6 host keeps its brackets, not its zone */
    struct span authority; /* "host:port", port always given, host without brackets' zone */
    uint32_t port;         /* effective */
    bool default_port;
};

void url_init(struct url *u);
void url_free(struct url *u);

/* Parses an absolute URL; a name without "://" is refused. INPUT with the reason. */
status url_parse(struct url *out, struct span text, error *err);
/* Parses `text` relative to `base` (RFC 3986 section 5). */
status url_resolve(struct url *out, const char *base, struct span text, error *err);
/* Same scheme, host and port (RFC 6454 section 4). */
bool url_same_origin(const struct url *a, const struct url *b);
/* The URL without user, password and fragment, appended to out. What is not a URL is appended as it
 * is. */
void url_without_secrets(struct strbuf *out, const char *url);

#endif
