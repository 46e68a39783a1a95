/* What is a record, and what becomes of bad ones; see bad_record.h. Worker of the file. */
#include "stage/bad_record.h"

status bad_record_take(struct stage_context *context, struct span line, uint64_t number,
                       const error *why, error *err)
{
    const struct stage_setup *setup = context->setup;
    unsigned long long n = number;
    context->counts.bad_records++;
    if (context->counts.first_bad.status == OK)
        fail(&context->counts.first_bad, WEIR_RECORD, "line %llu: %s", n, why->message);
    if (setup->bad_records == BAD_FAIL)
        return fail(err, WEIR_RECORD,
                    "line %llu: %s; jsonl.bad_records = skip goes on without such records", n,
                    why->message);
    if (setup->bad_records == BAD_FILE && setup->bad_record)
        return setup->bad_record(setup->bad_ctx, line, err);
    return OK;
}

size_t byte_order_mark(struct span body)
{
    return body.n >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span record_of_line(struct span line)
{
    while (line.n && is_blank(line.p[line.n - 1]))
        line.n--;
    while (line.n && is_blank(line.p[0])) {
        line.p++;
        line.n--;
    }
    return line;
}
