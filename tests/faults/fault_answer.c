/* Builds answers. Each group of faults is a function that changes what a good answer would be, so
 * that faults compose. One thread.
 */
#include "fault_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fault_bend.h"
#include "fault_body.h"
#include "fault_header.h"

void counts_reset(struct counts *c)
{
    free(c->slots);
    *c = (struct counts){.limited_since = -1};
}

static void counts_grow(struct counts *c)
{
    struct counts old = *c;
    c->room = old.room ? old.room * 2 : 1024;
    c->slots = calloc(c->room, sizeof *c->slots);
    if (!c->slots)
        abort();
    for (size_t i = 0; i < old.room; i++) {
        if (!old.slots[i].count)
            continue;
        size_t at = (size_t)old.slots[i].key & (c->room - 1);
        while (c->slots[at].count)
            at = (at + 1) & (c->room - 1);
        c->slots[at] = old.slots[i];
    }
    free(old.slots);
}

static uint64_t counts_add(struct counts *c, struct part target)
{
    if (c->used * 2 >= c->room)
        counts_grow(c);
    uint64_t key = fault_seed(target.data, target.size);
    size_t at = (size_t)key & (c->room - 1);
    while (c->slots[at].count && c->slots[at].key != key)
        at = (at + 1) & (c->room - 1);
    c->slots[at].key = key;
    c->used += c->slots[at].count == 0;
    return ++c->slots[at].count;
}

/* Do the faults of this request apply to it? */
static bool faults_apply(const struct request *r, struct counts *c, uint64_t count, int64_t now_ms)
{
    if ((int64_t)count > request_number(r, "first", INT64_MAX))
        return false;
    if ((int64_t)count <= request_number(r, "after", 0))
        return false;
    int64_t limit = request_number(r, "hostfirst", -1);
    if (limit >= 0 && (int64_t)++c->limited > limit)
        return false;
    int64_t span = request_number(r, "for_ms", -1);
    if (span >= 0) {
        if (c->limited_since < 0)
            c->limited_since = now_ms;
        return now_ms - c->limited_since < span;
    }
    return true;
}

/* Is it the body as it became later? From the second request of this target on. */
static unsigned version_of(const struct request *r, uint64_t count, bool faulty)
{
    return faulty && count > 1 &&
           (request_fault(r, "change", NULL, 0) || request_fault(r, "grow", NULL, 0) ||
            request_fault(r, "then", NULL, 0));
}

static void validators(const struct request *r, struct header *h, struct source *body,
                       uint64_t count, unsigned version)
{
    char kind[64] = "";
    request_fault(r, "etag", kind, sizeof kind);
    if ((strcmp(kind, "change") == 0 && count > 1) ||
        (version > 0 && request_fault(r, "change", NULL, 0)))
        body->seed += 1;
    if (strcmp(kind, "none") != 0)
        snprintf(h->etag, sizeof h->etag, "%s\"%016llx\"", strcmp(kind, "weak") == 0 ? "W/" : "",
                 (unsigned long long)fault_word(body->seed, (uint64_t)body->size));
    snprintf(h->last_modified, sizeof h->last_modified, "Wed, 01 Jan 2020 0%u:00:00 GMT", version);
    char lm[64];
    if (request_fault(r, "lm", lm, sizeof lm))
        strcpy(h->last_modified, strcmp(lm, "none") == 0 ? "" : lm);
}

/* "bytes=A-", "bytes=A-B", "bytes=-N" of a body of `size`: 1 = satisfiable, 0 = whole body, -1 =
 * 416. */
static int range_of(const struct request *r, const struct header *h, int64_t size, int64_t *from,
                    int64_t *to)
{
    char text[64] = "";
    if (!r->range.data || r->range.size >= sizeof text)
        return 0;
    memcpy(text, r->range.data, r->range.size);
    if (strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
        return 0;
    bool weak = strncmp(h->etag, "W/", 2) == 0;
    if (r->if_range.data && !(h->etag[0] && !weak && part_is(r->if_range, h->etag)) &&
        !(h->last_modified[0] && part_is(r->if_range, h->last_modified)))
        return 0;
    char *dash = strchr(text, '-');
    if (!dash)
        return 0;
    if (dash == text + 6) {
        *from = size - strtoll(dash + 1, NULL, 10);
        *from = *from < 0 ? 0 : *from;
        *to = size - 1;
    } else {
        *from = strtoll(text + 6, NULL, 10);
        *to = dash[1] ? strtoll(dash + 1, NULL, 10) : size - 1;
        *to = *to < size ? *to : size - 1;
    }
    return *from < size && *from <= *to ? 1 : -1;
}

static void gzip_body(struct answer *a, const char *how)
{
    char *plain = malloc((size_t)a->size + 1);
    uLong bound = compressBound((uLong)a->size) + 32;
    char *packed = malloc(bound);
    if (!plain || !packed)
        abort();
    source_read(&a->body, 0, plain, (size_t)a->size);
    z_stream z = {.next_in = (Bytef *)plain,
                  .avail_in = (uInt)a->size,
                  .next_out = (Bytef *)packed,
                  .avail_out = (uInt)bound};
    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    size_t size = z.total_out;
    deflateEnd(&z);
    if (strcmp(how, "cut") == 0)
        size = size * 2 / 3;
    text_add(&a->memory, packed, size);
    a->from_memory = true;
    a->size = (int64_t)size;
    free(plain);
    free(packed);
}

static void set_error_body(struct answer *a, const struct request *r)
{
    a->from_memory = true;
    int64_t size = request_number(r, "errbody", 2000);
    for (int64_t i = 0; i < size; i += 20)
        text_print(&a->memory, "this is no content\r\n");
    if ((a->status == 204 || a->status == 304) && !request_fault(r, "forcebody", NULL, 0))
        text_clear(&a->memory);
    a->size = (int64_t)a->memory.size;
}

/* The status line's code, and with it whether there is content at all. */
static void choose_status(struct answer *a, struct header *h, const struct request *r,
                          uint64_t count, bool faulty)
{
    char user[128];
    if (request_fault(r, "auth", user, sizeof user) && !header_is_basic(r->authorization, user)) {
        a->status = 401;
        h->authenticate = true;
    } else if (faulty && request_fault(r, "hops", NULL, 0) && request_number(r, "hops", 0) > 0) {
        a->status = (int)request_number(r, "code", 302);
        header_next_hop(h, r);
    } else if (faulty && request_fault(r, "loop", NULL, 0)) {
        a->status = (int)request_number(r, "code", 302);
        snprintf(h->location, sizeof h->location, "%.*s", (int)r->target.size, r->target.data);
    } else if (faulty && request_fault(r, "redirect", h->location, sizeof h->location)) {
        a->status = (int)request_number(r, "code", 302);
    } else if (faulty && request_fault(r, "status", NULL, 0) &&
               (int64_t)count <= request_number(r, "statusn", INT64_MAX)) {
        a->status = (int)request_number(r, "status", 500);
        request_fault(r, "retry_after", h->retry_after, sizeof h->retry_after);
    }
    if (a->status != 200)
        set_error_body(a, r);
}

static void apply_range(struct answer *a, struct header *h, const struct request *r, bool faulty)
{
    int64_t from = 0, to = a->size - 1, size = a->size;
    if (faulty && request_fault(r, "norange", NULL, 0)) {
        h->no_ranges = true;
        return;
    }
    int kind = range_of(r, h, size, &from, &to);
    bool refuse = faulty && request_fault(r, "bad416", NULL, 0) && r->range.data;
    if (kind < 0 || refuse) {
        a->status = 416;
        snprintf(h->content_range, sizeof h->content_range, "bytes */%lld",
                 (long long)request_number(r, "bad416", size));
        set_error_body(a, r);
        return;
    }
    char bad[32] = "";
    if (faulty)
        request_fault(r, "badrange", bad, sizeof bad);
    if (kind == 0 && strcmp(bad, "always") != 0)
        return;
    a->status = 206;
    /* whoever takes such an answer gets bytes of another version, and a wrong file of the right
     * size */
    if (kind > 0 && bad[0] && !strstr("offset lie star short always", bad))
        a->body.seed += 1;
    header_content_range(h, bad, &from, &to, size);
    if (strcmp(bad, "multipart") == 0 && kind > 0) {
        char *piece = malloc((size_t)(to - from + 1));
        if (!piece)
            abort();
        source_read(&a->body, (uint64_t)from, piece, (size_t)(to - from + 1));
        text_print(&a->memory, "--gap\r\nContent-Range: bytes %lld-%lld/%lld\r\n\r\n",
                   (long long)from, (long long)to, (long long)size);
        text_add(&a->memory, piece, (size_t)(to - from + 1));
        text_print(&a->memory, "\r\n--gap--\r\n");
        free(piece);
        a->from_memory = true;
        a->size = (int64_t)a->memory.size;
        h->multipart = true;
        return;
    }
    a->from = (uint64_t)from;
    a->size = to - from + 1;
}

static bool apply_stop(struct answer *a, const struct request *r, const char *name,
                       enum fault_end end)
{
    if (!request_fault(r, name, NULL, 0))
        return false;
    a->stop_at = request_number(r, name, 0);
    a->end = end;
    return true;
}

/* Where the body is cut this time: the offset of `cutat` (or step of `cutstep`) whose turn it is.
 */
static void apply_turn(struct answer *a, const struct request *r, uint64_t count)
{
    char list[4096] = "", how[16] = "";
    int64_t at = -1, step = request_number(r, "cutstep", 0);
    if (step > 0) {
        at = (int64_t)count * step;
    } else if (request_fault(r, "cutat", list, sizeof list)) {
        const char *next = list;
        for (uint64_t i = 1; i < count && next; i++) {
            next = strchr(next, ',');
            next = next ? next + 1 : NULL;
        }
        at = next ? strtoll(next, NULL, 10) : -1;
    }
    if (at < (int64_t)a->from || at >= (int64_t)a->from + a->size)
        return;
    request_fault(r, "cuthow", how, sizeof how);
    a->stop_at = at - (int64_t)a->from;
    a->end = strcmp(how, "rst") == 0 ? END_RESET : END_CLOSE;
}

static void apply_transport(struct answer *a, struct header *h, const struct request *r,
                            uint64_t count)
{
    char text[64] = "";
    if ((int64_t)count <= request_number(r, "cutn", INT64_MAX) &&
        !apply_stop(a, r, "cut", END_CLOSE) && !apply_stop(a, r, "rst", END_RESET))
        apply_stop(a, r, "stall", END_SILENT);
    apply_turn(a, r, count);
    if (request_fault(r, "drip", text, sizeof text))
        sscanf(text, "%lld/%lld", (long long *)&a->drip_bytes, (long long *)&a->drip_ms);
    a->delay_ms = request_number(r, "slowhead", 0);
    a->chunked = request_fault(r, "chunked", NULL, 0);
    a->bad_chunk = request_fault(r, "badchunk", NULL, 0);
    a->cut_chunk = request_fault(r, "cutchunk", NULL, 0);
    a->chunked |= a->bad_chunk || a->cut_chunk;
    h->announced = request_number(r, "cl", -1);
    request_fault(r, "clen", h->length_kind, sizeof h->length_kind);
    h->more_headers = request_number(r, "headers", 0);
    h->big_header = request_number(r, "bighead", 0);
    h->controls = request_fault(r, "ctl", NULL, 0);
    h->informational = request_fault(r, "1xx", NULL, 0);
    request_fault(r, "encoding", h->encoding, sizeof h->encoding);
    request_fault(r, "setcookie", h->cookie, sizeof h->cookie);
    request_fault(r, "disposition", h->disposition, sizeof h->disposition);
    h->no_date = request_fault(r, "nodate", NULL, 0);
}

static void finish(struct answer *a, struct header *h, const struct request *r)
{
    bool head_only = part_is(r->method, "HEAD") || a->status == 204 || a->status == 304;
    head_only = head_only && !request_fault(r, "forcebody", NULL, 0);
    if (h->announced >= 0 && h->announced > a->size)
        a->end = a->end == END_WELL ? END_CLOSE : a->end;
    if (h->length_kind[0] || a->bad_chunk || a->cut_chunk || r->wants_close || r->http_1_0)
        a->end = a->end == END_WELL ? END_CLOSE : a->end;
    h->status = a->status;
    h->size = a->size;
    h->chunked = a->chunked;
    h->close = h->length_kind[0] || r->wants_close || r->http_1_0; /* a cut is not announced */
    header_write(&a->head, h);
    if (head_only)
        a->size = 0;
}

static void answer_clear(struct answer *a)
{
    struct text head = a->head, memory = a->memory, tail = a->tail;
    source_close(&a->body);
    text_clear(&head);
    text_clear(&memory);
    text_clear(&tail);
    *a =
        (struct answer){.head = head, .memory = memory, .tail = tail, .stop_at = -1, .status = 200};
}

void answer_make(struct answer *a, const struct request *r, struct counts *counts,
                 struct library *library, int64_t now_ms)
{
    answer_clear(a);
    struct header h = {.announced = -1};
    uint64_t count = r->query.size ? counts_add(counts, r->target) : 1;
    bool faulty = r->query.size && faults_apply(r, counts, count, now_ms);
    if (faulty && request_fault(r, "hang", NULL, 0)) {
        a->end = END_SILENT;
        return;
    }
    if (faulty && (request_fault(r, "empty", NULL, 0) || request_fault(r, "garbage", NULL, 0))) {
        a->end = END_CLOSE;
        if (request_fault(r, "garbage", NULL, 0))
            text_print(&a->head, "\x7f\x45LF\x02\x01 SSH-2.0-not_http\r\n\r\n\x1b[31mgarbage\r\n");
        return;
    }
    unsigned version = version_of(r, count, faulty);
    if (!source_open(&a->body, library, r, version)) {
        a->status = 404;
        set_error_body(a, r);
        finish(a, &h, r);
        return;
    }
    a->size = a->body.size;
    validators(r, &h, &a->body, count, version);
    choose_status(a, &h, r, count, faulty);
    char how[16] = "";
    if (a->status == 200 && faulty && request_fault(r, "gzip", how, sizeof how)) {
        gzip_body(a, how);
        strcpy(h.encoding, "gzip");
    } else if (a->status == 200) {
        apply_range(a, &h, r, faulty);
    }
    if (faulty)
        apply_transport(a, &h, r, count);
    finish(a, &h, r);
    answer_bend(a, r, faulty);
}

void answer_text(struct answer *a, int status, const char *type, const struct text *body)
{
    answer_clear(a);
    a->from_memory = true;
    a->status = status;
    if (body->size)
        text_add(&a->memory, body->data, body->size);
    a->size = (int64_t)body->size;
    text_print(&a->head, "HTTP/1.1 %d OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
               status, type, body->size);
}

void answer_read(const struct answer *a, int64_t given, char *out, size_t size)
{
    if (a->from_memory)
        memcpy(out, a->memory.data + given, size);
    else
        source_read(&a->body, a->from + (uint64_t)given, out, size);
}

void answer_free(struct answer *a)
{
    source_close(&a->body);
    text_free(&a->head);
    text_free(&a->memory);
    text_free(&a->tail);
}
