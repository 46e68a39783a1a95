/* The report: one JSON object a line for each URL that has ended; see report.h. Runs on the commit
 * thread.
 *
 * Columns of the list go along under their own names; where a name is one of ours, "list_" stands
 * before it, so that a reader of reports can rely on ours whatever a list holds.
 */
#include "report/report.h"

#include <fcntl.h>
#include <stdlib.h>

#include "report/line_writer.h"
#include "report/redact.h"

struct report {
    struct line_writer out;
    struct strbuf redacted; /* one text at a time */
};

status report_open(struct report **out, const char *path, error *err)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the report", path);
    status st = line_writer_open(&r->out, path, O_TRUNC, err);
    if (st) {
        free(r);
        return st;
    }
    *out = r;
    return OK;
}

static void add_key(struct strbuf *line, const char *key)
{
    bool first = line->n && line->p[line->n - 1] == '{';
    strbuf_addf(line, "%s\"%s\":", first ? "" : ",", key);
}

static void add_number(struct strbuf *line, const char *key, int64_t value)
{
    add_key(line, key);
    strbuf_addf(line, "%lld", (long long)value);
}

static void add_text(struct strbuf *line, const char *key, const char *value)
{
    add_key(line, key);
    if (value)
        strbuf_add_json(line, span_of(value));
    else
        strbuf_adds(line, "null");
}

/* What stands in `redacted`, which is used up by it. */
static void add_redacted(struct report *r)
{
    struct strbuf *line = &r->out.pending;
    if (r->redacted.failed)
        line->failed = true;
    strbuf_add_json(line, (struct span){strbuf_text(&r->redacted), r->redacted.n});
    strbuf_clear(&r->redacted);
}

static void add_url(struct report *r, const char *key, const char *url)
{
    if (!url) {
        add_text(&r->out.pending, key, NULL);
        return;
    }
    add_key(&r->out.pending, key);
    redact_url(&r->redacted, span_of(url));
    add_redacted(r);
}

static bool name_is_ours(const char *name)
{
    static const char *const ours[] = {
        "url",         "final_url",    "path",     "id",   "line",      "status",    "http",
        "bytes",       "resumed_from", "attempts", "ms",   "digest",    "lines_in",  "lines_out",
        "bad_records", "long_lines",   "error",    "skip", "unchecked", "duplicate",
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(ours[i], name) == 0)
            return true;
    return false;
}

static void add_extra(struct report *r, const char *extra)
{
    struct strbuf *line = &r->out.pending;
    while (extra && *extra) {
        const char *name = extra, *value = name + strlen(name) + 1;
        extra = value + strlen(value) + 1;
        strbuf_addc(line, ',');
        strbuf_adds(&r->redacted, name_is_ours(name) ? "list_" : "");
        strbuf_adds(&r->redacted, name);
        add_redacted(r);
        strbuf_addc(line, ':');
        if (strstr(value, "://"))
            redact_text(&r->redacted, span_of(value));
        else
            strbuf_adds(&r->redacted, value);
        add_redacted(r);
    }
}

static void add_error(struct report *r, const weir_result *result)
{
    struct strbuf *line = &r->out.pending;
    const weir_error *e = result->error;
    add_key(line, "error");
    if (!e || e->status == WEIR_OK) {
        strbuf_adds(line, "null");
        return;
    }
    strbuf_addc(line, '{');
    add_text(line, "class", weir_status_name(e->status));
    add_key(line, "message");
    redact_text(&r->redacted, span_of(e->message));
    add_redacted(r);
    strbuf_addc(line, '}');
}

static const char *outcome_name(weir_outcome outcome)
{
    switch (outcome) {
    case WEIR_DONE:
        return "ok";
    case WEIR_SKIPPED:
        return "skipped";
    default:
        return "failed";
    }
}

static void add_number_or_null(struct strbuf *line, const char *key, int64_t value, bool present)
{
    if (present)
        add_number(line, key, value);
    else
        add_text(line, key, NULL);
}

/* "sha256=HEX" as {"sha256":"HEX"}. */
static void add_digest(struct strbuf *line, const char *digest)
{
    size_t name = strcspn(digest, "=");
    add_key(line, "digest");
    strbuf_addc(line, '{');
    strbuf_add_json(line, (struct span){digest, name});
    strbuf_addc(line, ':');
    strbuf_add_json(line, span_of(digest + name + (digest[name] == '=')));
    strbuf_addc(line, '}');
}

static void add_line(struct report *r, const struct job *job, const weir_result *result)
{
    struct strbuf *line = &r->out.pending;
    strbuf_addc(line, '{');
    add_url(r, "url", result->url);
    add_url(r, "final_url", result->final_url);
    add_text(line, "path", result->path);
    add_text(line, "id", result->id);
    add_number_or_null(line, "line", (int64_t)result->line, result->line != 0);
    add_text(line, "status", outcome_name(result->outcome));
    add_number_or_null(line, "http", result->http_status, result->http_status != 0);
    add_number(line, "bytes", result->bytes);
    add_number(line, "resumed_from", result->resumed_from);
    add_number(line, "attempts", result->attempts);
    add_number(line, "ms", result->duration_ms);
    if (result->digest)
        add_digest(line, result->digest);
    if (result->lines_in || result->lines_out) {
        add_number(line, "lines_in", (int64_t)result->lines_in);
        add_number(line, "lines_out", (int64_t)result->lines_out);
    }
    if (result->bad_records)
        add_number(line, "bad_records", (int64_t)result->bad_records);
    if (result->long_lines)
        add_number(line, "long_lines", (int64_t)result->long_lines);
    if (result->unchecked)
        strbuf_adds(line, ",\"unchecked\":true");
    if (result->duplicate)
        strbuf_adds(line, ",\"duplicate\":true");
    add_error(r, result);
    add_extra(r, job ? job_text(job, job->extra) : NULL);
    strbuf_adds(line, "}\n");
}

status report_write(struct report *r, const struct job *job, const weir_result *result, error *err)
{
    status st = line_writer_ready(&r->out, err);
    if (st)
        return st;
    struct strbuf *pending = &r->out.pending;
    size_t before = pending->n;
    add_line(r, job, result);
    if (!pending->failed)
        return OK;
    /* Whole lines or none. */
    pending->failed = false;
    pending->n = before;
    if (pending->p)
        pending->p[before] = '\0';
    return fail(err, WEIR_NOMEM, "%s: out of memory for a line of the report", r->out.path);
}

status report_flush(struct report *r, error *err)
{
    return line_writer_flush(&r->out, err);
}

status report_close(struct report *r, error *err)
{
    if (!r)
        return OK;
    status st = line_writer_close(&r->out, err);
    strbuf_free(&r->redacted);
    free(r);
    return st;
}
