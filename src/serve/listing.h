/* What is in a folder, as a page, as JSON, or as a list that weir itself takes. The exchange's
 * worker.
 */
#ifndef WEIR_SERVE_LISTING_H
#define WEIR_SERVE_LISTING_H

#include "serve/exchange.h"

enum listing_format {
    LISTING_HTML,
    LISTING_JSON, /* "?json", or Accept: application/json */
    LISTING_JSONL /* "?jsonl", or Accept: application/jsonl: the files as records of a list */
};

enum listing_format listing_format_of(const struct exchange *x);
/* Answers with the folder of `fd`, which is taken. */
enum MHD_Result listing_send(struct exchange *x, int fd);

/* ---- between listing.c and listing_format.c ---- */

enum listing_order { BY_NAME, BY_SIZE, BY_TIME };

struct listing_page {
    enum listing_format format;
    enum listing_order order;
    bool descending;
    bool sorted;      /* else there are too many, and they come as they lie in the folder */
    const char *name; /* of the folder, "" = the served directory */
    const char *base; /* "http://host:port", for LISTING_JSONL */
};

struct listing_entry {
    const char *name;
    bool folder;
    int64_t size, mtime_s;
};

const char *listing_type(enum listing_format format);
/* Pure. They append to *out. `first`: nothing came before. */
void listing_head(struct strbuf *out, const struct listing_page *page);
void listing_add(struct strbuf *out, const struct listing_page *page,
                 const struct listing_entry *entry, bool first);
void listing_tail(struct strbuf *out, const struct listing_page *page);

#endif
