/* The list of failed records, which can be read as a list again; see report.h. Runs on the commit
 * thread.
 *
 * The list may be the very one that this run reads (-i failed.tsv --failed failed.tsv). So rows go
 * to a file beside it, "NAME.new", which takes the name at the end: whatever stops the run, one of
 * the two tells what is left to do. What an earlier run left is replaced or removed only when it
 * begins as our lists begin; a file that somebody else made is never touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/fs.h"
#include "report/line_writer.h"
#include "report/redact.h"
#include "report/report.h"

struct failed_list {
    struct line_writer out;
    char *path;      /* the final name; NULL: rows go straight to a device or a pipe */
    char *temporary; /* where they go until the end */
    bool earlier;    /* a list of an earlier run has the name */
    bool keep_earlier;
    bool any;            /* the header has been written */
    bool with_size;      /* the header has a column "size" */
    bool with_mirrors;   /* ... and "mirrors" */
    unsigned digests;    /* ... and one for each kind whose bit is set */
    struct strbuf extra; /* names of further columns: each ends in NUL, and one more NUL */
    struct strbuf scratch;
};

/* Whether `path` may be replaced: it is not there, empty, or a list of ours. */
static status check_replaceable(const char *path, bool *exists, error *err)
{
    char head[sizeof FAILED_LIST_HEADER - 1];
    *exists = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return OK;
    if (fd < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be opened", path);
    ssize_t n = read(fd, head, sizeof head);
    int sys_errno = errno;
    close(fd);
    if (n < 0)
        return fail_errno(err, WEIR_DISK, sys_errno, "%s: cannot be read", path);
    if (n && ((size_t)n < sizeof head || memcmp(head, FAILED_LIST_HEADER, sizeof head) != 0))
        return fail(err, WEIR_USAGE,
                    "%s: exists and is no list of failed URLs, so it is left alone; name another "
                    "file or remove it",
                    path);
    *exists = true;
    return OK;
}

/* Rows go straight to what cannot be renamed onto: a pipe, a terminal, a descriptor's name. */
static bool is_direct(const char *path)
{
    struct stat st;
    if (fs_is_stdout(path) || strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
        return true;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* The name that rename is to replace: behind a symbolic link, what it points to. */
static char *resolved(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

static status open_beside(struct failed_list *f, const char *path, error *err)
{
    f->path = resolved(path);
    size_t size = f->path ? strlen(f->path) + sizeof ".new" : 0;
    f->temporary = size ? malloc(size) : NULL;
    if (!f->temporary)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the list of failed URLs", path);
    snprintf(f->temporary, size, "%s.new", f->path);
    bool left_over;
    status st = check_replaceable(f->path, &f->earlier, err);
    if (!st)
        st = check_replaceable(f->temporary, &left_over, err);
    /* Opened now, so that a folder that cannot be written is known before the run, not after it. */
    return st ? st : line_writer_open(&f->out, f->temporary, O_TRUNC, err);
}

static void failed_free(struct failed_list *f)
{
    strbuf_free(&f->extra);
    strbuf_free(&f->scratch);
    free(f->path);
    free(f->temporary);
    free(f);
}

status failed_open(struct failed_list **out, const char *path, error *err)
{
    struct failed_list *f = calloc(1, sizeof *f);
    if (!f)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the list of failed URLs", path);
    status st =
        is_direct(path) ? line_writer_open(&f->out, path, 0, err) : open_beside(f, path, err);
    if (st) {
        failed_free(f);
        return st;
    }
    *out = f;
    return OK;
}

void failed_keep_earlier(struct failed_list *f)
{
    f->keep_earlier = true;
}

/* ---- rows ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* A cell: what would break the row, or could not be read back, is dropped. */
static void add_cell(struct strbuf *line, struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!is_control(text.p[i]))
            strbuf_addc(line, text.p[i]);
}

/* The byte that "%XX" at p stands for, -1 when there is none. */
static int escaped_byte(const char *p)
{
    int high = *p == '%' ? hex_value(p[1]) : -1;
    int low = high >= 0 ? hex_value(p[2]) : -1;
    return low >= 0 ? high * 16 + low : -1;
}

static bool rest_of_component_is(const char *p, const char *text)
{
    size_t n = strlen(text);
    return strncmp(p, text, n) == 0 && (p[n] == '\0' || p[n] == '/');
}

/* A job's name has been through the sanitiser, and read from a list it will be again. So it is put
 * as it was before: '%', the '.' of our own endings and C1 characters are what a list can say and
 * the sanitiser escapes; an empty component became "%2E". False for any other escape: a list cannot
 * say it (a control character, a '/' or '?' of the URL that parts nothing). */
static bool add_as_listed(struct strbuf *out, const char *name)
{
    for (const char *p = name; *p;) {
        int byte = escaped_byte(p);
        if (byte < 0) {
            strbuf_addc(out, *p++);
            continue;
        }
        bool whole = p > name && p[-1] == '/' && p[3] == '/';
        p += 3;
        bool ending = rest_of_component_is(p, "part") || rest_of_component_is(p, "resume");
        if (byte == '%' || byte >= 0x80 || (byte == '.' && ending))
            strbuf_addc(out, (char)byte);
        else if (byte != '.' || !whole)
            return false;
    }
    return true;
}

/* A name that a list cannot say is left out; the URL gives it again. */
static void add_name(struct failed_list *f, const char *name)
{
    strbuf_clear(&f->scratch);
    if (name && add_as_listed(&f->scratch, name))
        add_cell(&f->out.pending, (struct span){strbuf_text(&f->scratch), f->scratch.n});
}

static const char *extra_value(const char *extra, const char *name)
{
    while (extra && *extra) {
        const char *value = extra + strlen(extra) + 1;
        if (strcmp(extra, name) == 0)
            return value;
        extra = value + strlen(value) + 1;
    }
    return NULL;
}

static unsigned digest_kinds(const struct job *job)
{
    struct checksum sum;
    unsigned kinds = 0;
    const char *at = job_text(job, job->digests);
    while (at && checksum_list_next(&at, &sum))
        kinds |= 1U << sum.kind;
    return kinds;
}

static bool has_extra(const struct failed_list *f, const char *name)
{
    for (const char *known = strbuf_text(&f->extra); *known; known += strlen(known) + 1)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

/* Adds the columns that the record has and the list has not. True: there are such. */
static bool widen(struct failed_list *f, const struct job *job)
{
    unsigned kinds = digest_kinds(job);
    bool more = (job->size >= 0 && !f->with_size) || (job->mirrors && !f->with_mirrors) ||
                kinds & ~f->digests;
    f->with_size |= job->size >= 0;
    f->with_mirrors |= job->mirrors != 0;
    f->digests |= kinds;
    const char *extra = job_text(job, job->extra);
    while (extra && *extra) {
        const char *value = extra + strlen(extra) + 1;
        if (!has_extra(f, extra)) {
            if (f->extra.n) /* the NUL at the end of all */
                f->extra.n--;
            strbuf_add(&f->extra, extra, strlen(extra) + 1);
            strbuf_addc(&f->extra, '\0');
            more = true;
        }
        extra = value + strlen(value) + 1;
    }
    return more;
}

/* The titles of the columns. They stand again, with more of them, before the first record that
 * needs more: lists of several kinds may be read in one run. */
static void add_header(struct failed_list *f)
{
    struct strbuf *line = &f->out.pending;
    strbuf_adds(line, FAILED_LIST_HEADER);
    if (f->with_size)
        strbuf_adds(line, "\tsize");
    for (unsigned kind = 0; kind < CHECKSUM_KINDS; kind++)
        if (f->digests & 1U << kind)
            strbuf_addf(line, "\t%s", checksum_name((enum checksum_kind)kind));
    if (f->with_mirrors)
        strbuf_adds(line, "\tmirrors");
    for (const char *name = strbuf_text(&f->extra); *name; name += strlen(name) + 1) {
        strbuf_addc(line, '\t');
        add_cell(line, span_of(name));
    }
    strbuf_addc(line, '\n');
}

static void add_digests(struct failed_list *f, const struct job *job)
{
    for (unsigned kind = 0; kind < CHECKSUM_KINDS; kind++) {
        struct checksum sum;
        const char *at = job_text(job, job->digests);
        if (!(f->digests & 1U << kind))
            continue;
        strbuf_addc(&f->out.pending, '\t');
        while (at && checksum_list_next(&at, &sum)) {
            char hex[2 * CHECKSUM_MAX + 1];
            if (sum.kind != (enum checksum_kind)kind)
                continue;
            checksum_hex(&sum, hex);
            strbuf_adds(&f->out.pending, hex);
        }
    }
}

/* URLs with blanks between them. */
static void add_mirrors(struct failed_list *f, const struct job *job)
{
    const char *url = job_text(job, job->mirrors);
    char before = '\t';
    if (!f->with_mirrors)
        return;
    if (!url)
        strbuf_addc(&f->out.pending, '\t');
    for (; url && *url; url += strlen(url) + 1) {
        strbuf_addc(&f->out.pending, before);
        strbuf_clear(&f->scratch);
        redact_url(&f->scratch, span_of(url));
        add_cell(&f->out.pending, (struct span){strbuf_text(&f->scratch), f->scratch.n});
        before = ' ';
    }
}

static void add_row(struct failed_list *f, const struct job *job)
{
    struct strbuf *line = &f->out.pending;
    strbuf_clear(&f->scratch);
    redact_url(&f->scratch, span_of(job_text(job, job->url)));
    add_cell(line, (struct span){strbuf_text(&f->scratch), f->scratch.n});
    strbuf_addc(line, '\t');
    if (job->upload)
        add_cell(line, span_of(job_text(job, job->upload)));
    else
        add_name(f, job_text(job, job->name));
    strbuf_addc(line, '\t');
    add_cell(line, span_of(job_text(job, job->id)));
    if (f->with_size)
        strbuf_addc(line, '\t');
    if (f->with_size && job->size >= 0)
        strbuf_addf(line, "%lld", (long long)job->size);
    add_digests(f, job);
    add_mirrors(f, job);
    for (const char *name = strbuf_text(&f->extra); *name; name += strlen(name) + 1) {
        strbuf_addc(line, '\t');
        add_cell(line, span_of(extra_value(job_text(job, job->extra), name)));
    }
    strbuf_addc(line, '\n');
}

/* What a list could not be read on from is told as a failure too, but it is no record. */
static bool is_record(const struct job *job)
{
    return job->url && (job->line || job->authority);
}

status failed_write(struct failed_list *f, const struct job *job, error *err)
{
    if (!is_record(job))
        return OK;
    status st = line_writer_ready(&f->out, err);
    if (st)
        return st;
    struct strbuf *pending = &f->out.pending;
    size_t before = pending->n;
    if (widen(f, job) || !f->any)
        add_header(f);
    add_row(f, job);
    f->any = true;
    if (!pending->failed && !f->extra.failed && !f->scratch.failed)
        return OK;
    /* Whole lines or none. */
    pending->failed = false;
    pending->n = before;
    if (pending->p)
        pending->p[before] = '\0';
    strbuf_free(&f->extra); /* the titles stand before the next one */
    f->digests = 0;
    f->with_size = f->with_mirrors = f->any = false;
    return fail(err, WEIR_NOMEM, "%s: out of memory for the list of failed URLs", f->out.path);
}

status failed_flush(struct failed_list *f, error *err)
{
    return line_writer_flush(&f->out, err);
}

/* Gives the list its name, or, when nothing has failed, takes away the one of an earlier run. A
 * list that could not be written whole does not replace one that was. */
static status put_in_place(struct failed_list *f, bool whole, error *err)
{
    bool keep = f->earlier && (f->keep_earlier || !whole);
    if (f->any && !keep) {
        if (rename(f->temporary, f->path) == 0)
            return OK;
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be renamed to %s", f->temporary,
                          f->path);
    }
    if (whole || !f->any)
        unlink(f->temporary);
    if (!f->any && !keep && f->earlier && unlink(f->path) && errno != ENOENT)
        return fail_errno(err, WEIR_DISK, errno,
                          "%s: is of an earlier run and cannot be removed, though nothing failed",
                          f->path);
    return OK;
}

status failed_close(struct failed_list *f, error *err)
{
    if (!f)
        return OK;
    status st = line_writer_close(&f->out, err);
    if (f->path) {
        status placed = put_in_place(f, st == OK, st ? NULL : err);
        st = st ? st : placed;
    }
    failed_free(f);
    return st;
}
