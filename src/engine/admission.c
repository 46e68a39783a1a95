/* Admission; see admission.h. */
#include "engine/admission.h"

#include <stdlib.h>

#include "codec/decoder.h"
#include "core/checksum.h"
#include "engine/input.h"
#include "engine/journaling.h"
#include "engine/plan.h"
#include "engine/presence.h"
#include "engine/redirect.h"
#include "engine/target.h"

#define RENAMES_MAX 10000

status admission_open(struct admission *a, struct weir_engine *engine, error *err)
{
    *a = (struct admission){.engine = engine};
    url_init(&a->url);
    url_init(&a->mirror);
    provenance_init(&a->kept);
    /* With the whole URL in the name, only the same URL can want it twice. */
    bool meet = !engine->options->save_tree || engine->options->save_delete;
    if (engine->sends) { /* the files of one folder cannot meet */
        bool one_tree =
            !engine->added && engine->inputs && engine->inputs->is_tree && !engine->inputs->next;
        a->names = one_tree ? NULL : name_set_new();
        return a->names || one_tree ? OK : fail(err, WEIR_NOMEM, "out of memory");
    }
    if (!plan_saves_files(engine) || !meet)
        return OK;
    if (engine->dirfd >= 0)
        a->before = presence_read(engine->dirfd);
    a->names = name_set_new();
    return a->names ? OK : fail(err, WEIR_NOMEM, "out of memory");
}

void admission_close(struct admission *a)
{
    name_set_free(a->names);
    presence_free(a->before);
    url_free(&a->url);
    url_free(&a->mirror);
    provenance_free(&a->kept);
    strbuf_free(&a->mirrors);
    strbuf_free(&a->method);
    strbuf_free(&a->list_name);
    strbuf_free(&a->name);
    strbuf_free(&a->other);
    strbuf_free(&a->origin);
    strbuf_free(&a->made_by);
    strbuf_free(&a->base);
    strbuf_free(&a->text);
}

status admission_read_url(struct admission *a, struct url *out, struct span text, error *err)
{
    const struct options *o = a->engine->options;
    status st = o->input_base_url ? url_resolve(out, o->input_base_url, text, err)
                                  : url_parse(out, text, err);
    if (st)
        return st;
    if (!protocol_allowed(o->http_protocols, out->scheme))
        return fail(err, WEIR_POLICY, "the scheme \"%.*s\" is not allowed; http.protocols is %s",
                    (int)out->scheme.n, out->scheme.p, o->http_protocols);
    return OK;
}

/* The first URL of a record that can be asked is its own, the others are its mirrors. Those that
 * cannot (ftp, in many lists) are passed over, unless there is no other. */
static status read_urls(struct admission *a, const struct candidate *c, error *err)
{
    error ignored;
    bool found = false;
    strbuf_clear(&a->mirrors);
    status st = admission_read_url(a, &a->url, c->url, err);
    found = st == OK;
    for (const char *p = c->mirrors.n ? c->mirrors.p : ""; *p; p += strlen(p) + 1) {
        if (admission_read_url(a, found ? &a->mirror : &a->url, span_of(p), &ignored))
            continue;
        if (found)
            strbuf_add(&a->mirrors, a->mirror.text.p, a->mirror.text.n + 1);
        found = true;
    }
    if (a->mirrors.n)
        strbuf_addc(&a->mirrors, '\0');
    if (a->mirrors.failed)
        return fail(err, WEIR_NOMEM, "out of memory for the mirrors of a file");
    if (found)
        error_clear(err);
    return found ? OK : st;
}

static const weir_callbacks *candidate_callbacks(const struct weir_engine *e,
                                                 const struct candidate *c)
{
    return c->callbacks ? c->callbacks : &e->callbacks;
}

/* What is saved decoded loses the ending that says how it was compressed. */
static void drop_suffix(struct admission *a, const struct candidate *c)
{
    if (c->save == WEIR_SAVE_BODY ||
        !plan_decode(a->engine, candidate_callbacks(a->engine, c), a->engine->options))
        return;
    const struct decoder_type *type =
        decoder_for_suffix((struct span){strbuf_text(&a->name), a->name.n});
    size_t n = type ? strlen(type->suffix) : 0;
    if (!n || n >= a->name.n || a->name.p[a->name.n - n - 1] == '/')
        return;
    a->name.n -= n;
    a->name.p[a->name.n] = '\0';
}

/* The name that the record or the template gives, before collisions. */
static status make_name(struct admission *a, const struct candidate *c, error *err)
{
    const struct options *o = a->engine->options;
    strbuf_clear(&a->name);
    if (c->name.n)
        return name_sanitise(&a->name, c->name, err);
    struct name_parts parts = {.host = a->url.host,
                               .path = a->url.path,
                               .query = a->url.query,
                               .port = a->url.default_port ? 0 : a->url.port,
                               .index = a->next_index,
                               .id = c->id,
                               .url = a->url.text.p};
    const char *template = o->save_tree ? "{host}/{path}" : o->save_name;
    status st = name_expand(&a->name, template, o->save_tree, (int)o->save_cut_dirs, &parts, err);
    if (!st)
        drop_suffix(a, c);
    return st;
}

static void use_other_name(struct admission *a)
{
    struct strbuf was = a->name;
    a->name = a->other;
    a->other = was;
}

status admission_claim(struct admission *a, const char *name, const char *by, bool *duplicate,
                       bool *taken, error *err)
{
    enum name_claim claim = name_set_claim(a->names, name, by);
    *duplicate = claim == NAME_SAME_URL;
    *taken = claim == NAME_TAKEN;
    return claim == NAME_NOMEM ? fail(err, WEIR_NOMEM, "out of memory for what is taken already")
                               : OK;
}

/* Gives the job a name that is its own in this run. Sets *duplicate where the same URL has it. */
static status claim_name(struct admission *a, bool *duplicate, error *err)
{
    if (!a->names)
        return OK;
    for (int round = 0; round < 2; round++) {
        bool taken;
        status st =
            admission_claim(a, strbuf_text(&a->name), a->url.text.p, duplicate, &taken, err);
        if (st || !taken)
            return st;
        strbuf_clear(&a->other);
        name_with_hash(&a->other, strbuf_text(&a->name), a->url.text.p);
        use_other_name(a);
    }
    return fail(err, WEIR_NAME,
                "%s: another URL of the list has this name, and its place-holder "
                "too; name it in a TSV list",
                strbuf_text(&a->other));
}

/* --on-exist rename: the first stem.N.ext that neither the disk nor the list has. */
static status next_free_name(struct admission *a, error *err)
{
    struct strbuf first = {0};
    strbuf_adds(&first, strbuf_text(&a->name));
    status st = fail(err, WEIR_NAME, "%s: %d files of this name and a number exist",
                     strbuf_text(&first), RENAMES_MAX);
    for (unsigned n = 1; n <= RENAMES_MAX; n++) {
        strbuf_clear(&a->name);
        name_with_number(&a->name, strbuf_text(&first), n);
        error ignored;
        if (target_look(a->engine->dirfd, strbuf_text(&a->name), "", NULL, -1, &ignored) !=
            TARGET_FREE)
            continue;
        if (a->names && name_set_claim(a->names, strbuf_text(&a->name), a->url.text.p) != NAME_FREE)
            continue;
        error_clear(err);
        st = OK;
        break;
    }
    strbuf_free(&first);
    return st;
}

struct decision {
    bool duplicate, exists, unchecked, replace, fresh;
    bool looked; /* the journal has decided */
};

/* What stands under the name already decides between fetching, skipping and another name. */
static status look_at_disk(struct admission *a, const struct candidate *c, struct decision *d,
                           error *err)
{
    int on_exist = a->engine->options->save_on_exist;
    d->fresh = !presence_possible(a->before, strbuf_text(&a->name));
    if (d->fresh)
        return OK;
    strbuf_clear(&a->made_by);
    if (c->save != WEIR_SAVE_BODY)
        plan_made_by(&a->made_by, a->engine, candidate_callbacks(a->engine, c), a->engine->options);
    strbuf_clear(&a->origin);
    url_without_secrets(&a->origin, a->url.text.p);
    if (a->made_by.failed || a->origin.failed)
        return fail(err, WEIR_NOMEM, "no memory to compare %s with what is there",
                    strbuf_text(&a->name));
    for (int round = 0; round < 2; round++) {
        enum target t =
            target_look(a->engine->dirfd, strbuf_text(&a->name), strbuf_text(&a->origin),
                        strbuf_text(&a->made_by), c->size, err);
        if (t == TARGET_FREE)
            return OK;
        if (t == TARGET_BLOCKED)
            return err->status;
        if (on_exist == ON_EXIST_OVERWRITE) {
            d->replace = true;
            return OK;
        }
        if (on_exist == ON_EXIST_RENAME)
            return next_free_name(a, err);
        if (t == TARGET_MADE)
            return fail(err, WEIR_NAME,
                        "%s: exists, and something else was made of this URL (another filter, "
                        "program or decoding); choose another --dir, or --on-exist overwrite",
                        strbuf_text(&a->name));
        if (t == TARGET_STALE) {
            d->replace = true;
            return OK;
        }
        if (t == TARGET_SAME && on_exist == ON_EXIST_UPDATE) {
            target_validators(a->engine->dirfd, strbuf_text(&a->name), &a->kept);
            d->replace = true;
            return OK;
        }
        if (t != TARGET_OTHER) {
            d->exists = true;
            d->unchecked = t == TARGET_UNKNOWN;
            return OK;
        }
        strbuf_clear(&a->other);
        name_with_hash(&a->other, strbuf_text(&a->name), a->url.text.p);
        use_other_name(a);
        status st = claim_name(a, &d->duplicate, err);
        if (st || d->duplicate)
            return st;
    }
    return fail(err, WEIR_NAME, "%s: files of other origins have this name", strbuf_text(&a->name));
}

static const char *span_text(struct strbuf *scratch, struct span s)
{
    if (!s.n)
        return NULL;
    strbuf_clear(scratch);
    strbuf_add(scratch, s.p, s.n);
    return strbuf_text(scratch);
}

/* The name that an earlier run gave it, where the list leaves it free. */
static status take_known_name(struct admission *a, const char *path, bool *taken, error *err)
{
    *taken = strcmp(path, strbuf_text(&a->name)) == 0;
    if (*taken || (a->names && name_set_claim(a->names, path, a->url.text.p) != NAME_FREE))
        return OK;
    strbuf_clear(&a->name);
    strbuf_adds(&a->name, path);
    *taken = true;
    return a->name.failed ? fail(err, WEIR_NOMEM, "out of memory for a name") : OK;
}

/* The list wants another body now than the one that is there. */
static bool wants_another(const struct candidate *c, const struct journal_entry *known)
{
    struct checksum sum;
    if (c->size >= 0 && c->size != known->bytes)
        return true;
    for (const char *at = c->digests.n ? c->digests.p : NULL; checksum_list_next(&at, &sum);) {
        const char *name = checksum_name(sum.kind);
        char hex[2 * CHECKSUM_MAX + 1];
        size_t n = strlen(name);
        checksum_hex(&sum, hex);
        if (known->digest && strncmp(known->digest, name, n) == 0 && known->digest[n] == '=' &&
            strcmp(known->digest + n + 1, hex) != 0)
            return true;
    }
    return false;
}

/* What the journal says is done is skipped, or, with update, asked for by what vouches for it. */
static status look_at_journal(struct admission *a, const struct candidate *c, struct decision *d,
                              error *err)
{
    struct journal_entry entry;
    enum known known;
    bool taken = false;
    const char *name = span_text(&a->list_name, c->name);
    status st = journaling_knows(a->engine, a->url.text.p, name ? name : "", &known, &entry, err);
    a->journal_unreadable = st != OK;
    if (st)
        return st;
    if (known == KNOWN_DONE)
        st = take_known_name(a, entry.path, &taken, err);
    if (known == KNOWN_REPLACING)
        d->replace = d->looked = true;
    if (st || !taken)
        return st;
    d->looked = true;
    if (wants_another(c, &entry)) {
        d->replace = true;
        return OK;
    }
    if (a->engine->options->save_on_exist != ON_EXIST_UPDATE) {
        d->exists = true;
        return OK;
    }
    d->replace = true;
    if (entry.origin.etag || entry.origin.last_modified)
        return provenance_copy(&a->kept, &entry.origin);
    target_validators(a->engine->dirfd, strbuf_text(&a->name), &a->kept);
    return OK;
}

static status name_and_look(struct admission *a, const struct candidate *c, struct decision *d,
                            error *err)
{
    status st = make_name(a, c, err);
    if (!st)
        st = claim_name(a, &d->duplicate, err);
    if (!st && !d->duplicate && a->engine->journal)
        st = look_at_journal(a, c, d, err);
    if (d->looked)
        return st;
    if (!st && !d->duplicate && a->engine->verify == WEIR_VERIFY_OFF)
        st = look_at_disk(a, c, d, err);
    return st;
}

static bool wants_file(const struct weir_engine *e, const struct candidate *c)
{
    if (c->save == WEIR_SAVE_BODY)
        return true;
    if (e->out_fd >= 0 || c->save == WEIR_SAVE_NO)
        return false;
    const weir_callbacks *cb = candidate_callbacks(e, c);
    return c->save == WEIR_SAVE_YES || (!cb->on_data && !cb->on_line && !cb->on_record);
}

static struct job *new_job(struct admission *a, const struct candidate *c, const char *url,
                           bool named)
{
    struct job_text text = {.url = url,
                            .id = span_text(&a->text, c->id),
                            .mirrors = a->mirrors.n ? a->mirrors.p : NULL,
                            .mirrors_size = a->mirrors.n,
                            .digests = c->digests.n ? c->digests.p : NULL,
                            .digests_size = c->digests.n,
                            .headers = c->headers.n ? c->headers.p : NULL,
                            .headers_size = c->headers.n,
                            .list_name =
                                a->engine->journal ? span_text(&a->list_name, c->name) : NULL,
                            .if_none_match = a->kept.etag,
                            .if_modified_since = a->kept.last_modified,
                            .method = c->method.n ? span_text(&a->method, c->method) : NULL,
                            .body = c->body.p,
                            .body_size = c->body.p ? c->body.n : 0,
                            .extra = c->extra.n ? c->extra.p : NULL,
                            .extra_size = c->extra.n};
    if (a->url.authority.n)
        text.authority = span_text(&a->base, a->url.authority);
    if (named)
        text.name = strbuf_text(&a->name);
    struct job *job = job_new(&text);
    if (!job)
        return NULL;
    job->index = a->next_index++;
    job->line = c->line;
    job->size = c->size;
    job->callbacks = c->callbacks;
    job->user = c->user;
    job->segments = c->segments;
    return job;
}

/* Credentials of the command line bind to the origin of the first URL. */
void admission_remember_origin(struct admission *a)
{
    if (a->engine->first_origin)
        return;
    struct strbuf origin = {0};
    strbuf_addf(&origin, "%.*s://%.*s", (int)a->url.scheme.n, a->url.scheme.p,
                (int)a->url.authority.n, a->url.authority.p);
    a->engine->first_origin = strdup(strbuf_text(&origin));
    strbuf_free(&origin);
}

struct job *admit(struct admission *a, const struct candidate *c, weir_outcome *verdict, error *err)
{
    struct decision d = {0};
    error_clear(err);
    provenance_free(&a->kept);
    if (c->sends)
        return admit_upload(a, c, verdict, err);
    status st = read_urls(a, c, err);
    if (st && st != WEIR_POLICY) {
        *verdict = WEIR_FAILED;
        return admit_unreadable(a, c->url, c->line);
    }
    struct candidate with_save = *c;
    if (!with_save.save)
        with_save.save = a->engine->save;
    c = &with_save;
    bool to_file = wants_file(a->engine, c);
    if (!st)
        admission_remember_origin(a);
    if (!st && to_file)
        st = name_and_look(a, c, &d, err);
    if (st == WEIR_NOMEM || a->journal_unreadable)
        return NULL;
    bool named = to_file && !st;
    struct job *job = new_job(a, c, a->url.text.p, named);
    if (!job)
        return NULL;
    a->incomplete = a->incomplete || st != OK;
    job->to_file = named;
    job->save_body = named && c->save == WEIR_SAVE_BODY;
    job->named = c->name.n > 0;
    job->overwrite = d.replace;
    job->fresh = d.fresh;
    job->duplicate = d.duplicate;
    job->exists = d.exists;
    job->unchecked = d.unchecked;
    job->journaled = d.looked;
    if (st)
        *verdict = WEIR_FAILED;
    else if (d.duplicate || d.exists || a->engine->dry_run)
        *verdict = WEIR_SKIPPED;
    else
        *verdict = WEIR_DONE;
    return job;
}

struct job *admit_unreadable(struct admission *a, struct span text, uint64_t line)
{
    a->incomplete = true;
    strbuf_clear(&a->base);
    strbuf_add_printable(&a->base, (struct span){text.p, text.n > 512 ? 512 : text.n});
    struct job_text parts = {.url = strbuf_text(&a->base)};
    struct job *job = job_new(&parts);
    if (!job)
        return NULL;
    job->index = a->next_index++;
    job->line = line;
    return job;
}
