/* How a folder is written; see listing.h. Pure; any thread.
 *
 * A name is put into a page escaped, and into a link percent-encoded behind "./", so that none is
 * taken for a scheme or for markup.
 */
#include <inttypes.h>
#include <time.h>

#include "serve/listing.h"

static void add_html(struct strbuf *out, const char *text)
{
    struct strbuf shown = {0};
    strbuf_add_printable(&shown, span_of(text));
    for (const char *c = strbuf_text(&shown); *c; c++) {
        switch (*c) {
        case '&':
            strbuf_adds(out, "&amp;");
            break;
        case '<':
            strbuf_adds(out, "&lt;");
            break;
        case '>':
            strbuf_adds(out, "&gt;");
            break;
        case '"':
            strbuf_adds(out, "&quot;");
            break;
        default:
            strbuf_addc(out, *c);
        }
    }
    strbuf_free(&shown);
}

static void add_time(struct strbuf *out, int64_t seconds, const char *format)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[64];
    if (gmtime_r(&t, &tm) && strftime(text, sizeof text, format, &tm))
        strbuf_adds(out, text);
}

static void add_link(struct strbuf *out, const struct listing_entry *e)
{
    strbuf_adds(out, "./");
    url_path_add(out, e->name);
    if (e->folder)
        strbuf_addc(out, '/');
}

/* ---- HTML ---- */

static const char style[] =
    "body{font-family:system-ui,sans-serif;margin:2em;color:#222;background:#fff}"
    "table{border-collapse:collapse}th{text-align:left;font-weight:600}"
    "td,th{padding:.2em 1.5em .2em 0;white-space:nowrap}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}a{text-decoration:none}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8bf}}";

static void add_column(struct strbuf *out, const struct listing_page *page,
                       enum listing_order order, const char *key, const char *title)
{
    bool now = page->order == order && page->sorted;
    strbuf_addf(out, "<th%s>", order == BY_SIZE ? " class=n" : "");
    if (page->sorted)
        strbuf_addf(out, "<a href=\"?sort=%s&amp;order=%s\">%s</a>%s", key,
                    now && !page->descending ? "desc" : "asc", title,
                    !now               ? ""
                    : page->descending ? " &darr;"
                                       : " &uarr;");
    else
        strbuf_adds(out, title);
    strbuf_adds(out, "</th>");
}

static void html_head(struct strbuf *out, const struct listing_page *page)
{
    strbuf_adds(out, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
                     "<meta name=viewport content=\"width=device-width\"><title>/");
    add_html(out, page->name);
    strbuf_addf(out, "</title><style>%s</style></head>\n<body><h1>/", style);
    add_html(out, page->name);
    strbuf_adds(out, "</h1>\n<table><tr>");
    add_column(out, page, BY_NAME, "name", "Name");
    add_column(out, page, BY_SIZE, "size", "Size");
    add_column(out, page, BY_TIME, "time", "Modified (UTC)");
    strbuf_adds(out, "</tr>\n");
    if (*page->name)
        strbuf_adds(out, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
}

static void html_entry(struct strbuf *out, const struct listing_entry *e)
{
    strbuf_adds(out, "<tr><td><a href=\"");
    add_link(out, e);
    strbuf_adds(out, "\">");
    add_html(out, e->name);
    strbuf_addf(out, "%s</a></td><td class=n>", e->folder ? "/" : "");
    if (!e->folder)
        strbuf_addf(out, "%" PRId64, e->size);
    strbuf_adds(out, "</td><td>");
    add_time(out, e->mtime_s, "%Y-%m-%d %H:%M:%S");
    strbuf_adds(out, "</td></tr>\n");
}

/* ---- JSON ---- */

static void json_entry(struct strbuf *out, const struct listing_entry *e, bool first)
{
    strbuf_adds(out, first ? "{\"name\":" : ",\n{\"name\":");
    strbuf_add_json(out, span_of(e->name));
    strbuf_addf(out, ",\"type\":\"%s\"", e->folder ? "directory" : "file");
    if (!e->folder)
        strbuf_addf(out, ",\"size\":%" PRId64, e->size);
    strbuf_adds(out, ",\"mtime\":\"");
    add_time(out, e->mtime_s, "%Y-%m-%dT%H:%M:%SZ");
    strbuf_adds(out, "\",\"href\":\"");
    add_link(out, e);
    strbuf_adds(out, "\"}");
}

static void record_entry(struct strbuf *out, const struct listing_page *page,
                         const struct listing_entry *e)
{
    if (e->folder)
        return;
    struct strbuf url = {0};
    strbuf_addf(&url, "%s/", page->base);
    url_path_add(&url, page->name);
    if (*page->name)
        strbuf_addc(&url, '/');
    url_path_add(&url, e->name);
    strbuf_adds(out, "{\"url\":");
    strbuf_add_json(out, span_of(strbuf_text(&url)));
    strbuf_adds(out, ",\"name\":");
    strbuf_add_json(out, span_of(e->name));
    strbuf_addf(out, ",\"size\":%" PRId64 "}\n", e->size);
    strbuf_free(&url);
}

/* ---- any of them ---- */

const char *listing_type(enum listing_format format)
{
    return format == LISTING_HTML   ? "text/html; charset=utf-8"
           : format == LISTING_JSON ? "application/json"
                                    : "application/jsonl";
}

void listing_head(struct strbuf *out, const struct listing_page *page)
{
    if (page->format == LISTING_HTML)
        html_head(out, page);
    else if (page->format == LISTING_JSON)
        strbuf_adds(out, "[\n");
}

void listing_add(struct strbuf *out, const struct listing_page *page,
                 const struct listing_entry *entry, bool first)
{
    if (page->format == LISTING_HTML)
        html_entry(out, entry);
    else if (page->format == LISTING_JSON)
        json_entry(out, entry, first);
    else
        record_entry(out, page, entry);
}

void listing_tail(struct strbuf *out, const struct listing_page *page)
{
    if (page->format == LISTING_JSON)
        strbuf_adds(out, "\n]\n");
    if (page->format != LISTING_HTML)
        return;
    strbuf_adds(out, "</table>\n");
    if (!page->sorted)
        strbuf_adds(out, "<p>There are too many to sort them; they come as the folder has "
                         "them.</p>\n");
    strbuf_adds(out, "</body></html>\n");
}
