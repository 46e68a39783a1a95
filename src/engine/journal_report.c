/* A journal as a program that uses the library sees it; see weir.h. One thread at a time.
 *
 * Failed records go through the exporter that writes --failed, so that both lists are alike: each
 * row becomes a job again, as the run had it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "journal/journal.h"
#include "report/report.h"

struct weir_journal {
    struct journal_reader *reader;
};

weir_status weir_journal_open(weir_journal **out, const char *path, weir_error *err)
{
    weir_journal *j = calloc(1, sizeof *j);
    if (!j)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    status st = journal_reader_open(&j->reader, path, err);
    if (st) {
        free(j);
        return st;
    }
    *out = j;
    return OK;
}

void weir_journal_close(weir_journal *j)
{
    if (!j)
        return;
    journal_reader_close(j->reader);
    free(j);
}

weir_status weir_journal_count(weir_journal *j, weir_journal_totals *out, weir_error *err)
{
    struct journal_totals totals;
    status st = journal_reader_totals(j->reader, &totals, err);
    if (st)
        return st;
    *out = (weir_journal_totals){.directory = journal_reader_directory(j->reader),
                                 .done = totals.done,
                                 .failed = totals.failed,
                                 .replacing = totals.replacing,
                                 .bytes = totals.bytes,
                                 .last_ms = totals.last_ms};
    memcpy(out->failed_by_class, totals.failed_by_class, sizeof out->failed_by_class);
    return OK;
}

weir_status weir_journal_next_failures(weir_journal *j, weir_journal_failures *out, weir_error *err)
{
    struct journal_group group;
    status st = journal_reader_next_group(j->reader, &group, err);
    if (!st)
        *out = (weir_journal_failures){.error_class = group.failed_as,
                                       .http_status = group.http_status,
                                       .host = group.host,
                                       .count = group.count};
    return st;
}

/* ---- the failed as a list ---- */

static struct job *job_of(const struct journal_entry *e)
{
    struct job *job = job_new(&(struct job_text){.url = e->url,
                                                 .name = e->path,
                                                 .id = e->id,
                                                 .mirrors = e->mirrors.n ? e->mirrors.p : NULL,
                                                 .mirrors_size = e->mirrors.n,
                                                 .digests = e->digests.n ? e->digests.p : NULL,
                                                 .digests_size = e->digests.n,
                                                 .extra = e->extra.n ? e->extra.p : NULL,
                                                 .extra_size = e->extra.n});
    if (!job)
        return NULL;
    job->size = e->wanted_size;
    job->line = e->line ? e->line : 1; /* every row of a journal is of a record */
    return job;
}

static status write_failed(struct journal_reader *from, struct failed_list *to, uint64_t *count,
                           error *err)
{
    struct journal_entry e;
    status st;
    *count = 0;
    while ((st = journal_reader_next(from, JOURNAL_FAILED, &e, err)) == OK) {
        struct job *job = job_of(&e);
        st = job ? failed_write(to, job, err)
                 : fail(err, WEIR_NOMEM, "out of memory for the list of failed URLs");
        job_free(job);
        if (st)
            return st;
        ++*count;
    }
    return st == WEIR_END ? OK : st;
}

weir_status weir_journal_export_failed(weir_journal *j, const char *path, uint64_t *count,
                                       weir_error *err)
{
    struct failed_list *list = NULL;
    uint64_t n = 0;
    status st = failed_open(&list, path, err);
    if (st)
        return st;
    st = write_failed(j->reader, list, &n, err);
    if (st)
        failed_keep_earlier(list);
    status closed = failed_close(list, st ? NULL : err);
    st = st ? st : closed;
    if (!st && count)
        *count = n;
    return st;
}

/* ---- JSON ---- */

static void add_key(struct strbuf *out, const char *key)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        strbuf_addc(out, ',');
    strbuf_add_json(out, span_of(key));
    strbuf_addc(out, ':');
}

static void add_number(struct strbuf *out, const char *key, uint64_t n)
{
    add_key(out, key);
    strbuf_addf(out, "%" PRIu64, n);
}

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    add_key(out, key);
    strbuf_add_json(out, span_of(text));
}

static status add_failures(struct strbuf *out, struct journal_reader *r, error *err)
{
    struct journal_group g;
    status st;
    add_key(out, "failures");
    strbuf_addc(out, '[');
    for (bool first = true; (st = journal_reader_next_group(r, &g, err)) == OK; first = false) {
        strbuf_adds(out, first ? "{" : ",{");
        add_text(out, "class", weir_status_name(g.failed_as));
        if (g.http_status)
            add_number(out, "http", (uint64_t)g.http_status);
        add_text(out, "host", g.host);
        add_number(out, "count", g.count);
        strbuf_addc(out, '}');
    }
    strbuf_addc(out, ']');
    return st == WEIR_END ? OK : st;
}

static void add_totals(struct strbuf *out, const struct journal_totals *t)
{
    add_number(out, "done", t->done);
    add_number(out, "failed", t->failed);
    add_number(out, "replacing", t->replacing);
    add_number(out, "bytes", (uint64_t)t->bytes);
    if (t->last_ms)
        add_number(out, "last_ms", (uint64_t)t->last_ms);
    add_key(out, "failed_by_class");
    strbuf_addc(out, '{');
    for (int class = 0; class < WEIR_STATUS_COUNT; class ++)
        if (t->failed_by_class[class])
            add_number(out, weir_status_name((status) class), t->failed_by_class[class]);
    strbuf_addc(out, '}');
}

weir_status weir_journal_json(weir_journal *j, char **out, weir_error *err)
{
    struct strbuf text = {.max = (size_t)1 << 30};
    struct journal_totals totals;
    status st = journal_reader_totals(j->reader, &totals, err);
    if (st)
        return st;
    strbuf_addc(&text, '{');
    add_text(&text, "directory", journal_reader_directory(j->reader));
    add_totals(&text, &totals);
    st = add_failures(&text, j->reader, err);
    strbuf_addc(&text, '}');
    if (!st && text.failed)
        st = fail(err, WEIR_NOMEM, "out of memory for the journal as JSON");
    if (st) {
        strbuf_free(&text);
        return st;
    }
    *out = text.p;
    return OK;
}
