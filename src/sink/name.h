/* Names of files: the template, the one sanitiser, and the set of names that are taken.
 *
 * Names come from the request URL or the list, never from a redirect. The sanitiser is injective:
 * two different raw names never become the same. It escapes as %XX: control characters, '/' where
 * it is not a separator, and a '%' that two hexadecimal digits follow; a name component that ends
 * in ".part" or ".part.resume" (our own endings) has its last '.' of that ending escaped; "." and
 * ".." are refused. Components longer than 255 bytes, or paths longer than 4095 less the room for
 * ".part.resume" are NAME errors. Pure, except the set. One thread at a time (the feeder).
 */
#ifndef WEIR_SINK_NAME_H
#define WEIR_SINK_NAME_H

#include "core/status.h"
#include "core/text.h"

/* Parts of a request URL, percent-encoded as they stand in it. */
struct name_parts {
    struct span host, path, query; /* path with its leading '/'; query without '?' */
    uint32_t port;                 /* 0 when it is the scheme's own */
    uint64_t index;                /* of the record, from 0 */
    struct span id;
    const char *url; /* normalised, for {hash} and collisions */
};

/* Checks a template ("{host}/{path}", "{basename}") before the run. CONFIG with the place. */
status name_template_check(const char *tmpl, error *err);

/* Expands `tmpl` into *out, sanitised; cut_dirs leading folders of {path} are dropped. An empty
 * basename is "index.html". {path} keeps folders; with `tree`, "?query" is appended to it and
 * ":port" to {host}. */
status name_expand(struct strbuf *out, const char *tmpl, bool tree, int cut_dirs,
                   const struct name_parts *parts, error *err);

/* Sanitises a name that a list or a header gave: '/' separates folders. */
status name_sanitise(struct strbuf *out, struct span raw, error *err);

/* stem~8hex.ext from the URL's hash: what the second of two URLs that want one name gets. */
void name_with_hash(struct strbuf *out, const char *name, const char *url);
/* stem.N.ext, for --on-exist rename. */
void name_with_number(struct strbuf *out, const char *name, unsigned number);

/* Which names are taken and by which URL: 11 bytes an entry, in a long list at most 13 with its
 * free room. */
struct name_set;
enum name_claim {
    NAME_FREE,     /* was free; now it is this URL's */
    NAME_SAME_URL, /* the same URL has it: a duplicate */
    NAME_TAKEN,    /* another URL has it */
    NAME_NOMEM
};
struct name_set *name_set_new(void);
void name_set_free(struct name_set *s); /* takes NULL */
enum name_claim name_set_claim(struct name_set *s, const char *name, const char *url);
size_t name_set_bytes(const struct name_set *s);

#endif
