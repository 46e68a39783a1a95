/* Admission of what is sent up: which URL a file goes to; see admission.h. Feeder thread.
 *
 * A target that ends in '/' is a folder, and the file's own name is added, as cp has it; but not
 * with POST, whose URLs are places that take bodies in. Two files for one URL would leave whichever
 * comes last, so the second has failed before anything of it was sent.
 */
#include <strings.h>

#include "engine/admission.h"
#include "net/url_name.h"

static bool is_stdin(struct span path)
{
    return span_equal(path, "-") || span_equal(path, "/dev/stdin");
}

static bool posts(const struct admission *a, const struct candidate *c)
{
    const char *method = a->engine->options->put_method;
    return c->method.n ? span_equal_nocase(c->method, "POST") : strcasecmp(method, "POST") == 0;
}

static struct span last_component(struct span path)
{
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    size_t skip = slash ? (size_t)(slash - path.p) + 1 : 0;
    return (struct span){path.p + skip, path.n - skip};
}

/* Does ".." stand in it? Below a URL it would lead out of it. */
static bool leaves(struct span path)
{
    for (size_t from = 0; from < path.n;) {
        const char *slash = memchr(path.p + from, '/', path.n - from);
        size_t end = slash ? (size_t)(slash - path.p) : path.n;
        if (span_equal((struct span){path.p + from, end - from}, ".."))
            return true;
        from = end + 1;
    }
    return false;
}

static struct span without_dot(struct span path)
{
    while (path.n > 2 && path.p[0] == '.' && path.p[1] == '/')
        path.p += 2, path.n -= 2;
    return path;
}

/* A list that names only files puts them below input.base_url under their own names. */
static status below_base(struct admission *a, struct span path, error *err)
{
    const char *base = a->engine->options->input_base_url;
    if (!base)
        return fail(err, WEIR_INPUT,
                    "%.*s: the list says no URL to send it to; give --base-url, or a list of "
                    "names and URLs",
                    (int)path.n, path.p);
    if (leaves(path))
        return fail(err, WEIR_INPUT,
                    "%.*s: the name leads out of the folder; write the URL beside it", (int)path.n,
                    path.p);
    url_add_name(&a->text, span_of(base), without_dot(path));
    return OK;
}

/* Puts the URL that the file goes to into a->text. */
static status make_target(struct admission *a, const struct candidate *c, error *err)
{
    strbuf_clear(&a->text);
    if (!c->url.n)
        return below_base(a, c->upload, err);
    if (!url_wants_name(c->url) || !c->upload.n || posts(a, c)) {
        strbuf_add(&a->text, c->url.p, c->url.n);
        return OK;
    }
    struct span name = last_component(c->upload);
    if (is_stdin(c->upload) || !name.n)
        return fail(err, WEIR_INPUT,
                    "%.*s ends in '/', and %s has no name to be put behind it; write the whole URL",
                    (int)c->url.n, c->url.p, is_stdin(c->upload) ? "standard input" : "a folder");
    url_add_name(&a->text, c->url, name);
    return OK;
}

/* No two files go to one URL, and standard input has one body. */
static status claim_target(struct admission *a, const struct candidate *c, bool *duplicate,
                           error *err)
{
    if (is_stdin(c->upload)) {
        if (a->stdin_taken)
            return fail(err, WEIR_INPUT, "standard input is sent already, and it comes once");
        a->stdin_taken = true;
    }
    if (!a->names || !c->upload.n || posts(a, c))
        return OK;
    strbuf_clear(&a->other);
    strbuf_add(&a->other, c->upload.p, c->upload.n);
    bool taken;
    status st = admission_claim(a, a->url.text.p, strbuf_text(&a->other), duplicate, &taken, err);
    if (st || !taken)
        return st;
    return fail(err, WEIR_NAME, "another file goes to %s; give each a URL of its own",
                a->url.text.p);
}

static status read_target(struct admission *a, const struct candidate *c, bool *duplicate,
                          error *err)
{
    status st = make_target(a, c, err);
    struct span target = {strbuf_text(&a->text), a->text.n};
    if (!st && a->text.failed)
        st = fail(err, WEIR_INPUT, "the URL would be too long");
    if (!st)
        st = admission_read_url(a, &a->url, target, err);
    return st ? st : claim_target(a, c, duplicate, err);
}

static struct job *new_job(struct admission *a, const struct candidate *c, bool has_url)
{
    strbuf_clear(&a->name);
    strbuf_add(&a->name, c->upload.p, c->upload.n);
    strbuf_clear(&a->base);
    strbuf_add(&a->base, a->url.authority.p, has_url ? a->url.authority.n : 0);
    strbuf_clear(&a->other);
    strbuf_add(&a->other, c->id.p, c->id.n);
    strbuf_clear(&a->method);
    strbuf_add(&a->method, c->method.p, c->method.n);
    if (!has_url) {
        strbuf_clear(&a->text);
        strbuf_add_printable(&a->text, c->url.n ? c->url : c->upload);
    }
    struct job_text text = {.url = has_url ? a->url.text.p : strbuf_text(&a->text),
                            .authority = has_url ? strbuf_text(&a->base) : NULL,
                            .id = c->id.n ? strbuf_text(&a->other) : NULL,
                            .method = c->method.n ? strbuf_text(&a->method) : NULL,
                            .digests = c->digests.n ? c->digests.p : NULL,
                            .digests_size = c->digests.n,
                            .headers = c->headers.n ? c->headers.p : NULL,
                            .headers_size = c->headers.n,
                            .upload = c->upload.n ? strbuf_text(&a->name) : NULL,
                            .extra = c->extra.n ? c->extra.p : NULL,
                            .extra_size = c->extra.n};
    struct job *job = job_new(&text);
    if (!job)
        return NULL;
    job->index = a->next_index++;
    job->line = c->line;
    job->size = c->size;
    job->upload_root = (uint32_t)c->upload_root;
    job->callbacks = c->callbacks;
    job->user = c->user;
    job->source = c->source;
    return job;
}

struct job *admit_upload(struct admission *a, const struct candidate *c, weir_outcome *verdict,
                         error *err)
{
    bool duplicate = false;
    status st = read_target(a, c, &duplicate, err);
    if (st == WEIR_NOMEM)
        return NULL;
    if (!st)
        admission_remember_origin(a);
    struct job *job = new_job(a, c, !st || st == WEIR_NAME);
    if (!job)
        return NULL;
    job->duplicate = duplicate;
    *verdict = st ? WEIR_FAILED : duplicate || a->engine->dry_run ? WEIR_SKIPPED : WEIR_DONE;
    return job;
}
