/* Heads of answers, one after another upon one struct head, as a transfer uses it.
 *
 * The first byte says whether all lines are kept; then come the lines as libcurl hands them over
 * (which ends the exchange itself where a line holds a NUL).
 */
#include <stdlib.h>

#include "net/response.h"
#include "fuzz_must.h"

#define NOW_S 1714521600

static void check_text(const char *text)
{
    if (!text)
        return;
    must(strlen(text) <= HEAD_MAX_BYTES && !strchr(text, '\n'));
    http_date(text);
}

static void check(struct head *h)
{
    struct response r;
    if (head_response(h, NOW_S, &r) != OK)
        return;
    const char *const texts[] = {r.location,
                                 r.etag,
                                 r.last_modified,
                                 r.date,
                                 r.content_range,
                                 r.content_encoding,
                                 r.content_disposition,
                                 r.retry_after};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_text(texts[i]);
    must(r.http_status >= 0 && r.http_status <= 999);
    must(r.content_length >= -1 && (!r.repeated_length || r.content_length == -1));
    must(r.retry_after_ns >= -1 && (r.retry_after || r.retry_after_ns == -1));
    must(r.header_count <= HEAD_MAX_LINES + 1);
    for (size_t i = 0; i < r.header_count; i++) {
        must(*r.headers[i].name != '\0' && !strchr(r.headers[i].name, '\n'));
        check_text(r.headers[i].value);
    }
    head_without_body(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head h = {0};
    if (size < 1)
        return 0;
    bool keep_all = data[0] & 1;
    head_begin(&h, keep_all);
    for (size_t at = 1; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end ? (size_t)(end - data) - at + 1 : size - at;
        if (memchr(data + at, '\0', n))
            break;
        char *line = malloc(n); /* of its exact size */
        memcpy(line, data + at, n);
        enum head_step step = head_line(&h, line, n);
        free(line);
        at += n;
        if (step == HEAD_MORE)
            continue;
        if (step == HEAD_COMPLETE)
            check(&h);
        head_begin(&h, keep_all);
    }
    check(&h); /* one that broke off is looked at, too */
    head_free(&h);
    return 0;
}
