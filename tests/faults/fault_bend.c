/* Bends answers by raw bytes of the query, so that a new kind of nonsense needs no new code. One
 * thread.
 */
#include "fault_bend.h"

#include <stdio.h>
#include <string.h>

enum { RAW_MAX = 32768, EXTENSION = 7000 };

/* `count` times the bytes that the query gives under `name`. */
static bool add_raw(struct text *out, const struct request *r, const char *name, int64_t count)
{
    char raw[RAW_MAX];
    long n = request_fault_bytes(r, name, raw, sizeof raw);
    if (n < 0)
        return false;
    for (int64_t i = 0; i < count; i++)
        text_add(out, raw, (size_t)n);
    return true;
}

/* The head anew: what comes before it, its first line, its fields, and those that are added. */
static void bend_head(struct text *head, const struct request *r)
{
    char *line = memchr(head->data, '\n', head->size);
    if (!line)
        return;
    size_t first = (size_t)(line + 1 - head->data);
    struct text bent = {0};
    add_raw(&bent, r, "pre", request_number(r, "pren", 1));
    if (add_raw(&bent, r, "statusline", 1))
        text_print(&bent, "\r\n");
    else
        text_add(&bent, head->data, first);
    if (request_fault(r, "addfirst", NULL, 0))
        add_raw(&bent, r, "addfirst", 1);
    text_add(&bent, head->data + first, head->size - first - 2); /* without the empty line */
    add_raw(&bent, r, "addhead", request_number(r, "addheadn", 1));
    text_print(&bent, "\r\n");
    text_free(head);
    *head = bent;
}

static void bare_line_feeds(struct text *head)
{
    size_t n = 0;
    for (size_t i = 0; i < head->size; i++)
        if (head->data[i] != '\r')
            head->data[n++] = head->data[i];
    head->size = n;
}

/* The head and nothing more, and of it only the first bytes. */
static void stop_in_head(struct answer *a, int64_t at, enum fault_end end)
{
    if (at < (int64_t)a->head.size)
        a->head.size = (size_t)at;
    a->size = 0;
    a->stop_at = -1;
    a->chunked = false;
    text_clear(&a->tail);
    a->end = end;
}

static enum chunk_form form_of(const struct request *r)
{
    static const char *const names[] = {
        [CHUNK_PLAIN] = "plain", [CHUNK_EXTENDED] = "ext",  [CHUNK_LONG_EXTENSION] = "bigext",
        [CHUNK_UPPER] = "upper", [CHUNK_ZEROS] = "zeros",   [CHUNK_SPACES] = "space",
        [CHUNK_LF] = "lf",       [CHUNK_NEGATIVE] = "neg",  [CHUNK_OVERFLOW] = "overflow",
        [CHUNK_HUGE] = "huge",   [CHUNK_PREFIX] = "prefix", [CHUNK_EMPTY] = "empty",
        [CHUNK_LESS] = "less",   [CHUNK_MORE] = "more"};
    char form[16] = "";
    request_fault(r, "chunkform", form, sizeof form);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(form, names[i]) == 0)
            return (enum chunk_form)i;
    return CHUNK_PLAIN;
}

size_t chunk_line(enum chunk_form form, bool first, int64_t n, char *out)
{
    unsigned long long size = (unsigned long long)n;
    if (first && form >= CHUNK_NEGATIVE)
        form = CHUNK_PLAIN;
    switch (form) {
    case CHUNK_EXTENDED:
        return (size_t)sprintf(out, "%llx;name=value;quoted=\"a b; c\"\r\n", size);
    case CHUNK_LONG_EXTENSION:
        return (size_t)sprintf(out, "%llx;%0*d\r\n", size, EXTENSION, 7);
    case CHUNK_UPPER:
        return (size_t)sprintf(out, "%llX\r\n", size);
    case CHUNK_ZEROS:
        return (size_t)sprintf(out, "%012llx\r\n", size);
    case CHUNK_SPACES:
        return (size_t)sprintf(out, "%llx   \r\n", size);
    case CHUNK_LF:
        return (size_t)sprintf(out, "%llx\n", size);
    case CHUNK_NEGATIVE:
        return (size_t)sprintf(out, "-%llx\r\n", size);
    case CHUNK_OVERFLOW:
        return (size_t)sprintf(out, "1%016llx\r\n", size);
    case CHUNK_HUGE:
        return (size_t)sprintf(out, "7fffffffffffffff\r\n");
    case CHUNK_PREFIX:
        return (size_t)sprintf(out, "0x%llx\r\n", size);
    case CHUNK_EMPTY:
        return (size_t)sprintf(out, "\r\n");
    case CHUNK_LESS:
        return (size_t)sprintf(out, "%llx\r\n", size > 5 ? size - 5 : size);
    case CHUNK_MORE:
        return (size_t)sprintf(out, "%llx\r\n", size + 5);
    case CHUNK_PLAIN:
        break;
    }
    return (size_t)sprintf(out, "%llx\r\n", size);
}

static void bend_tail(struct answer *a, const struct request *r, bool faulty)
{
    if (a->chunked && !a->cut_chunk) {
        text_print(&a->tail, "0\r\n");
        if (!faulty || !add_raw(&a->tail, r, "trailer", request_number(r, "trailern", 1)))
            text_print(&a->tail, "X-Trailer: end\r\n");
        text_print(&a->tail, "\r\n");
    }
    if (faulty)
        a->tail_joined = add_raw(&a->tail, r, "tail", request_number(r, "tailn", 1));
}

void answer_bend(struct answer *a, const struct request *r, bool faulty)
{
    char text[64] = "";
    bend_tail(a, r, faulty);
    if (!faulty)
        return;
    a->form = form_of(r);
    bend_head(&a->head, r);
    if (request_fault(r, "eol", NULL, 0))
        bare_line_feeds(&a->head);
    if (request_fault(r, "http09", NULL, 0)) {
        text_clear(&a->head);
        a->end = END_CLOSE;
    }
    if (request_fault(r, "headdrip", text, sizeof text))
        sscanf(text, "%lld/%lld", (long long *)&a->head_drip_bytes, (long long *)&a->head_drip_ms);
    if (request_fault(r, "headcut", NULL, 0))
        stop_in_head(a, request_number(r, "headcut", 0), END_CLOSE);
    if (request_fault(r, "headrst", NULL, 0))
        stop_in_head(a, request_number(r, "headrst", 0), END_RESET);
    if (request_fault(r, "headstall", NULL, 0))
        stop_in_head(a, request_number(r, "headstall", 0), END_SILENT);
    if (request_fault(r, "close", NULL, 0) && a->end == END_WELL)
        a->end = END_CLOSE;
}
