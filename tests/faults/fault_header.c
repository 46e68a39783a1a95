/* Heads of answers. One thread. */
#include "fault_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {{200, "OK"},
                 {204, "No Content"},
                 {206, "Partial Content"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {410, "Gone"},
                 {416, "Range Not Satisfiable"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return table[i].text;
    return "Whatever";
}

static void http_date(char out[64], time_t when)
{
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void write_length(struct text *out, const struct header *h)
{
    long long size = (long long)(h->announced >= 0 ? h->announced : h->size);
    if (h->chunked)
        text_print(out, "Transfer-Encoding: chunked\r\n");
    else if (strcmp(h->length_kind, "dup") == 0)
        text_print(out, "Content-Length: %lld\r\nContent-Length: %lld\r\n", size, size / 2);
    else if (strcmp(h->length_kind, "same") == 0)
        text_print(out, "Content-Length: %lld\r\nContent-Length: %lld\r\n", size, size);
    else if (strcmp(h->length_kind, "negative") == 0)
        text_print(out, "Content-Length: -5\r\n");
    else if (strcmp(h->length_kind, "overflow") == 0)
        text_print(out, "Content-Length: 99999999999999999999999\r\n");
    else if (strcmp(h->length_kind, "text") == 0)
        text_print(out, "Content-Length: many\r\n");
    else if (strcmp(h->length_kind, "none") != 0 && h->status != 204 && h->status != 304)
        text_print(out, "Content-Length: %lld\r\n", size);
}

static void write_oddities(struct text *out, const struct header *h)
{
    for (int64_t i = 0; i < h->more_headers; i++)
        text_print(out, "X-Flood-%lld: some value that nobody wants\r\n", (long long)i);
    if (h->big_header > 0) {
        text_print(out, "X-Big: ");
        for (int64_t i = 0; i < h->big_header; i++)
            text_add(out, "b", 1);
        text_print(out, "\r\n");
    }
    if (h->controls)
        text_print(out, "X-Evil: \x1b[2J\x1b]0;owned\x07\x1b[31mred\x08\x08\r\n");
}

static void write_retry_after(struct text *out, const char *value)
{
    char date[64];
    if (strncmp(value, "date+", 5) == 0) {
        http_date(date, time(NULL) + strtol(value + 5, NULL, 10));
        value = date;
    }
    text_print(out, "Retry-After: %s\r\n", value);
}

void header_write(struct text *out, const struct header *h)
{
    if (h->informational)
        text_print(
            out,
            "HTTP/1.1 100 Continue\r\n\r\n"
            "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 7\r\n\r\n");
    text_print(out, "HTTP/%s %d %s\r\n", strcmp(h->length_kind, "none") == 0 ? "1.0" : "1.1",
               h->status, h->controls ? "\x1b[2J\x1b[41mFine\x07" : reason(h->status));
    write_oddities(out, h);
    if (!h->no_date) {
        char date[64];
        http_date(date, time(NULL));
        text_print(out, "Date: %s\r\n", date);
    }
    text_print(out, "Content-Type: %s\r\n",
               h->multipart ? "multipart/byteranges; boundary=gap" : "application/octet-stream");
    write_length(out, h);
    if (h->status < 300 && !h->no_ranges)
        text_print(out, "Accept-Ranges: bytes\r\n");
    if (h->status < 300 && h->etag[0])
        text_print(out, "ETag: %s\r\n", h->etag);
    if (h->status < 300 && h->last_modified[0])
        text_print(out, "Last-Modified: %s\r\n", h->last_modified);
    if (h->content_range[0])
        text_print(out, "Content-Range: %s\r\n", h->content_range);
    if (h->location[0])
        text_print(out, "Location: %s\r\n", h->location);
    if (h->retry_after[0])
        write_retry_after(out, h->retry_after);
    if (h->cookie[0])
        text_print(out, "Set-Cookie: %s\r\n", h->cookie);
    if (h->disposition[0])
        text_print(out, "Content-Disposition: %s\r\n", h->disposition);
    if (h->encoding[0])
        text_print(out, "Content-Encoding: %s\r\n", h->encoding);
    if (h->authenticate)
        text_print(out, "WWW-Authenticate: Basic realm=\"faults\"\r\n");
    if (h->close)
        text_print(out, "Connection: close\r\n");
    text_print(out, "\r\n");
}

void header_next_hop(struct header *h, const struct request *r)
{
    char target[2000];
    size_t n = r->target.size < sizeof target ? r->target.size : sizeof target - 1;
    memcpy(target, r->target.data, n);
    target[n] = '\0';
    char *at = strstr(target, "hops=");
    if (!at)
        return;
    char *rest = at + 5;
    long hops = strtol(rest, &rest, 10);
    snprintf(h->location, sizeof h->location, "%.*s%ld%s", (int)(at + 5 - target), target, hops - 1,
             rest);
}

void header_content_range(struct header *h, const char *bad, int64_t *from, int64_t *to,
                          int64_t size)
{
    int64_t total = size, said_from = *from, said_to = *to;
    if (strcmp(bad, "missing") == 0 || strcmp(bad, "multipart") == 0)
        return;
    if (strcmp(bad, "offset") == 0 &&
        *from > 0) { /* as many bytes as asked for, but others, and said so */
        said_from = *from -= 1;
        said_to = *to -= 1;
    }
    if (strcmp(bad, "lie") == 0) /* says what was asked, starts elsewhere */
        *from = *from > 0 ? *from - 1 : 0;
    else if (strcmp(bad, "total") == 0)
        total = size + 1000;
    else if (strcmp(bad, "end") == 0)
        said_to = *to + 10;
    else if (strcmp(bad, "short") == 0) /* less than asked, allowed by RFC 9110 section 15.3.7 */
        said_to = *to = *from + (*to - *from) / 2;
    else if (strcmp(bad, "etag") == 0) /* of another version than If-Range named */
        strcpy(h->etag, "\"another-version\"");
    if (strcmp(bad, "star") == 0)
        snprintf(h->content_range, sizeof h->content_range, "bytes %lld-%lld/*",
                 (long long)said_from, (long long)said_to);
    else if (strcmp(bad, "text") == 0)
        snprintf(h->content_range, sizeof h->content_range, "bytes all of it");
    else
        snprintf(h->content_range, sizeof h->content_range, "%s %lld-%lld/%lld",
                 strcmp(bad, "unit") == 0 ? "lines" : "bytes", (long long)said_from,
                 (long long)said_to, (long long)total);
}

bool header_is_basic(struct part authorization, const char *user)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char wanted[256] = "Basic ";
    size_t at = 6, n = strlen(user);
    for (size_t i = 0; i < n && at + 5 < sizeof wanted; i += 3) {
        unsigned a = (unsigned char)user[i];
        unsigned b = i + 1 < n ? (unsigned char)user[i + 1] : 0;
        unsigned c = i + 2 < n ? (unsigned char)user[i + 2] : 0;
        wanted[at++] = digits[a >> 2];
        wanted[at++] = digits[(a & 3) << 4 | b >> 4];
        wanted[at++] = i + 1 < n ? digits[(b & 15) << 2 | c >> 6] : '=';
        wanted[at++] = i + 2 < n ? digits[c & 63] : '=';
    }
    wanted[at] = '\0';
    return part_is(authorization, wanted);
}
