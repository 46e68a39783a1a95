/* Reading a folder and sending it; see listing.h.
 *
 * Memory is flat. A folder is read whole and sorted as long as its names take no more than
 * SORTED_BYTES, and those of all listings under way SORTED_BYTES_ALL; otherwise it is sent as it is
 * read, unsorted, an entry at a time. Links and special files are no more listed than served.
 */
#include "serve/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "serve/reply.h"

#define SORTED_BYTES ((size_t)256 << 10)
#define SORTED_BYTES_ALL ((size_t)4 << 20)
#define BLOCK 4096

struct kept {
    int64_t size, mtime_s;
    uint32_t name; /* offset in names */
    bool folder;
};

struct listing {
    struct weir_server *server;
    struct exchange *x;
    DIR *dir;
    struct listing_page page;
    struct strbuf folder, base; /* what the page borrows */
    struct strbuf names;        /* each ended by NUL */
    struct kept *kept;          /* sorted */
    size_t n, cap, next;
    size_t held; /* bytes charged to server->listed_bytes */
    struct strbuf text;
    size_t sent; /* of text */
    enum { AT_HEAD, AT_ENTRIES, AT_END } at;
    bool any;
};

/* ---- reading ---- */

static bool is_listed(const struct listing *l, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name_is_unfinished(name))
        return false;
    return !name_is_hidden(name) || l->server->options->serve_hidden;
}

/* The next entry that is listed; false at the end. The name is borrowed until the next call. */
static bool read_entry(struct listing *l, struct listing_entry *out)
{
    const struct dirent *d;
    struct stat st;
    while ((d = readdir(l->dir)) != NULL) {
        if (!is_listed(l, d->d_name) ||
            fstatat(dirfd(l->dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            continue;
        *out = (struct listing_entry){.name = d->d_name,
                                      .folder = S_ISDIR(st.st_mode),
                                      .size = (int64_t)st.st_size,
                                      .mtime_s = (int64_t)st.st_mtim.tv_sec};
        return true;
    }
    return false;
}

static void forget(struct listing *l)
{
    atomic_fetch_sub(&l->server->listed_bytes, l->held);
    l->held = 0;
    strbuf_free(&l->names);
    free(l->kept);
    l->kept = NULL;
    l->n = l->cap = 0;
}

/* Charges what the listing is about to hold. */
static bool may_hold(struct listing *l, size_t more)
{
    if (l->held + more > SORTED_BYTES)
        return false;
    if (atomic_fetch_add(&l->server->listed_bytes, more) + more > SORTED_BYTES_ALL) {
        atomic_fetch_sub(&l->server->listed_bytes, more);
        return false;
    }
    l->held += more;
    return true;
}

static bool keep(struct listing *l, const struct listing_entry *e)
{
    size_t n = strlen(e->name) + 1;
    if (!may_hold(l, n + sizeof *l->kept))
        return false;
    struct kept *roomy = array_grow(l->kept, l->n, &l->cap, sizeof *roomy);
    if (!roomy)
        return false;
    l->kept = roomy;
    l->kept[l->n++] = (struct kept){e->size, e->mtime_s, (uint32_t)l->names.n, e->folder};
    strbuf_add(&l->names, e->name, n);
    return !l->names.failed;
}

/* Folders first; what is equal, by name. */
static int compare(const void *a, const void *b, void *context)
{
    const struct kept *x = a, *y = b;
    const struct listing *l = context;
    int order = 0;
    if (x->folder != y->folder)
        return x->folder ? -1 : 1;
    if (l->page.order == BY_SIZE)
        order = (x->size > y->size) - (x->size < y->size);
    else if (l->page.order == BY_TIME)
        order = (x->mtime_s > y->mtime_s) - (x->mtime_s < y->mtime_s);
    if (!order)
        order = strcmp(l->names.p + x->name, l->names.p + y->name);
    return l->page.descending ? -order : order;
}

static void read_and_sort(struct listing *l)
{
    struct listing_entry e;
    l->page.sorted = true;
    while (read_entry(l, &e)) {
        if (keep(l, &e))
            continue;
        l->page.sorted = false;
        forget(l);
        rewinddir(l->dir);
        return;
    }
    if (l->n)
        qsort_r(l->kept, l->n, sizeof *l->kept, compare, l);
}

/* ---- sending ---- */

static bool next_entry(struct listing *l, struct listing_entry *e)
{
    if (!l->page.sorted)
        return read_entry(l, e);
    if (l->next == l->n)
        return false;
    const struct kept *k = &l->kept[l->next++];
    *e = (struct listing_entry){l->names.p + k->name, k->folder, k->size, k->mtime_s};
    return true;
}

/* The next piece of text; false behind the last. */
static bool next_text(struct listing *l)
{
    struct listing_entry e;
    strbuf_clear(&l->text);
    l->sent = 0;
    switch (l->at) {
    case AT_HEAD:
        listing_head(&l->text, &l->page);
        l->at = AT_ENTRIES;
        return true;
    case AT_ENTRIES:
        if (next_entry(l, &e)) {
            listing_add(&l->text, &l->page, &e, !l->any);
            l->any = true;
            return true;
        }
        listing_tail(&l->text, &l->page);
        l->at = AT_END;
        return true;
    case AT_END:
        break;
    }
    return false;
}

static ssize_t read_listing(void *context, uint64_t offset, char *out, size_t cap)
{
    struct listing *l = context;
    size_t n = 0;
    while (n < cap) {
        if (l->sent == l->text.n && !next_text(l))
            break;
        if (l->text.failed)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        size_t piece = l->text.n - l->sent < cap - n ? l->text.n - l->sent : cap - n;
        if (piece)
            memcpy(out + n, l->text.p + l->sent, piece);
        l->sent += piece;
        n += piece;
    }
    l->x->sent += (int64_t)n;
    l->x->length = l->x->sent;
    return n ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* May be called after the end of the exchange. */
static void free_listing(void *context)
{
    struct listing *l = context;
    forget(l);
    if (l->dir)
        closedir(l->dir);
    strbuf_free(&l->folder);
    strbuf_free(&l->base);
    strbuf_free(&l->text);
    free(l);
}

/* ---- what is asked for ---- */

static bool asks(const struct exchange *x, const char *key)
{
    return MHD_lookup_connection_value_n(x->connection, MHD_GET_ARGUMENT_KIND, key, strlen(key),
                                         NULL, NULL) == MHD_YES;
}

static bool asks_for(const struct exchange *x, const char *key, const char *value)
{
    const char *given = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, key);
    return given && strcmp(given, value) == 0;
}

enum listing_format listing_format_of(const struct exchange *x)
{
    const char *accept = exchange_field(x, MHD_HTTP_HEADER_ACCEPT);
    if (asks(x, "jsonl"))
        return LISTING_JSONL;
    if (asks(x, "json"))
        return LISTING_JSON;
    if (!accept || strcasestr(accept, "text/html"))
        return LISTING_HTML;
    if (strcasestr(accept, "application/jsonl") || strcasestr(accept, "application/x-ndjson"))
        return LISTING_JSONL;
    return strcasestr(accept, "application/json") ? LISTING_JSON : LISTING_HTML;
}

/* Under the name by which the client has found us. */
static void write_base(struct strbuf *out, const struct exchange *x)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:[]";
    const char *host = exchange_field(x, MHD_HTTP_HEADER_HOST);
    bool plain = host && *host && !host[strspn(host, allowed)];
    strbuf_addf(out, "http%s://%s", server_is_tls(x->server) ? "s" : "",
                plain ? host : x->server->listener.authority);
}

enum MHD_Result listing_send(struct exchange *x, int fd)
{
    struct listing *l = calloc(1, sizeof *l);
    DIR *dir = l ? fdopendir(fd) : NULL;
    if (!dir) {
        free(l);
        close(fd);
        return MHD_NO;
    }
    l->server = x->server;
    l->x = x;
    l->dir = dir;
    strbuf_adds(&l->folder, strbuf_text(&x->path.name));
    write_base(&l->base, x);
    l->page = (struct listing_page){.format = listing_format_of(x),
                                    .order = asks_for(x, "sort", "size")   ? BY_SIZE
                                             : asks_for(x, "sort", "time") ? BY_TIME
                                                                           : BY_NAME,
                                    .descending = asks_for(x, "order", "desc"),
                                    .name = strbuf_text(&l->folder),
                                    .base = strbuf_text(&l->base)};
    if (!exchange_is_head(x))
        read_and_sort(l);
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_listing, l, free_listing);
    if (!r) {
        free_listing(l);
        return MHD_NO;
    }
    reply_field(r, MHD_HTTP_HEADER_CONTENT_TYPE, listing_type(l->page.format));
    reply_field(r, MHD_HTTP_HEADER_VARY, "Accept");
    reply_field(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    return reply_send(x, 200, r);
}
