/* Content-Range: the first line is the field, the second how it is taken, "FROM TO SIZE STATUS
 * LENGTH" in decimal.
 *
 * A range that was read lies within its body and reads back from its own text. A verdict that lets
 * bytes in says where they end, and never of more than the body, nor of another offset.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/text.h"
#include "engine/range.h"
#include "fuzz_must.h"

static void check_text(const struct content_range *r)
{
    char text[96];
    struct content_range again;
    must(r->size >= -1 && (r->first < 0) == (r->last < 0));
    if (r->first < 0) {
        must(r->first == -1 && r->size >= 0);
        snprintf(text, sizeof text, "bytes */%" PRId64, r->size);
    } else {
        must(r->first <= r->last && (r->size < 0 || r->last < r->size));
        int n = snprintf(text, sizeof text, "bytes %" PRId64 "-%" PRId64 "/", r->first, r->last);
        if (r->size < 0)
            snprintf(text + n, sizeof text - (size_t)n, "*");
        else
            snprintf(text + n, sizeof text - (size_t)n, "%" PRId64, r->size);
    }
    must(content_range_parse(&again, text));
    must(again.first == r->first && again.last == r->last && again.size == r->size);
}

static void check_part(const struct content_range *r, bool parsed, int64_t from, int64_t until)
{
    must(parsed && r->first == from && until > from);
    must(until <= r->last + 1 && (r->size < 0 || until <= r->size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its exact size */
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    char *how = strchr(text, '\n');
    long long from = 5, to = 9, whole = -1, status_code = 206, length = -1;
    if (how) {
        *how++ = '\0';
        sscanf(how, "%lld %lld %lld %lld %lld", &from, &to, &whole, &status_code, &length);
    }
    struct content_range r;
    bool parsed = content_range_parse(&r, text);
    if (parsed)
        check_text(&r);
    if (from < 0 || to <= from || whole < -1 || length < -1 || (whole >= 0 && to > whole))
        goto done;
    struct range_wanted wanted = {.from = from, .size = whole, .etag = "\"a\""};
    struct range_answer answer = {.http_status = (int)status_code,
                                  .content_length = length,
                                  .content_range = text,
                                  .etag = "\"a\""};
    int64_t size_now = -1, until = -1;
    enum range_verdict verdict = range_judge(&wanted, &answer, &size_now, &until);
    if (verdict == RANGE_PART && until >= 0)
        check_part(&r, parsed, from, until);
    if (verdict == RANGE_PART || verdict == RANGE_WHOLE)
        must(until < 0 || size_now < 0 || until <= size_now);
    if (whole > 0 && range_judge_segment(&wanted, to, &answer, &until) == SEGMENT_FITS) {
        check_part(&r, parsed, from, until);
        must(until <= to);
    }
done:
    free(text);
    return 0;
}
