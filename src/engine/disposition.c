/* See disposition.h. The server's word is only a wish: it passes the same sanitiser as every name,
 * and loses its folders before that.
 */
#include "engine/disposition.h"

#include <stdlib.h>
#include <strings.h>

#include "engine/target.h"

#define NUMBERS_MAX 1000

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* token or quoted-string (RFC 9110 sections 5.6.2 and 5.6.4); returns what follows it. */
static const char *read_value(struct strbuf *out, const char *p)
{
    strbuf_clear(out);
    if (*p != '"') {
        size_t n = strcspn(p, "; \t");
        strbuf_add(out, p, n);
        return p + n;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        strbuf_addc(out, *p);
    }
    return *p ? p + 1 : p;
}

/* UTF-8'language'percent-encoded; false for any other character set or a broken escape. */
static bool decode_extended(struct strbuf *out, const char *text)
{
    if (strncasecmp(text, "utf-8'", 6) != 0)
        return false;
    const char *p = strchr(text + 6, '\'');
    if (!p)
        return false;
    strbuf_clear(out);
    for (p++; *p; p++) {
        if (*p != '%') {
            strbuf_addc(out, *p);
            continue;
        }
        int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
        if (low < 0)
            return false;
        strbuf_addc(out, (char)(high * 16 + low));
        p += 2;
    }
    return true;
}

static void keep_last_component(struct strbuf *name)
{
    size_t from = name->n;
    while (from > 0 && name->p[from - 1] != '/' && name->p[from - 1] != '\\')
        from--;
    if (from == 0)
        return;
    memmove(name->p, name->p + from, name->n - from + 1);
    name->n -= from;
}

bool disposition_filename(struct strbuf *out, const char *value)
{
    struct strbuf text = {.max = 4096}, decoded = {.max = 4096};
    bool plain = false, extended = false;
    const char *p = value + strcspn(value, ";");
    while (*p == ';') {
        p = skip_blanks(p + 1);
        size_t n = strcspn(p, "=; \t");
        struct span name = {p, n};
        p = skip_blanks(p + n);
        if (*p != '=') {
            p += strcspn(p, ";");
            continue;
        }
        p = read_value(&text, skip_blanks(p + 1));
        p += strcspn(p, ";");
        if (span_equal_nocase(name, "filename*") && !extended &&
            decode_extended(&decoded, strbuf_text(&text))) {
            extended = true;
            strbuf_clear(out);
            strbuf_add(out, decoded.p, decoded.n);
        } else if (span_equal_nocase(name, "filename") && !extended && !plain) {
            plain = true;
            strbuf_clear(out);
            strbuf_add(out, text.p, text.n);
        }
    }
    strbuf_free(&text);
    strbuf_free(&decoded);
    if (!plain && !extended)
        return false;
    keep_last_component(out);
    return out->n > 0 && !out->failed;
}

/* What to do with one candidate name. */
enum try_result { TRY_OPENED, TRY_NEXT, TRY_SKIP, TRY_FAILED };

/* With the name's .part ours, nobody else of this run can give a file that name: only then is it
 * certain what stands under it. */
static enum try_result look_under(struct fetch *f, const char *name, bool *replace, error *err)
{
    struct weir_engine *e = f->worker->engine;
    int on_exist = e->options->save_on_exist;
    enum target t = target_look(e->dirfd, name, f->spec.origin, NULL, f->job->size, err);
    *replace = false;
    if (t == TARGET_FREE)
        return TRY_OPENED;
    if (t == TARGET_BLOCKED)
        return TRY_FAILED;
    *replace = on_exist == ON_EXIST_OVERWRITE || (on_exist == ON_EXIST_SKIP && t == TARGET_STALE);
    if (*replace)
        return TRY_OPENED;
    if (on_exist != ON_EXIST_SKIP || t == TARGET_OTHER || t == TARGET_MADE)
        return TRY_NEXT;
    f->job->exists = true;
    f->job->unchecked = t == TARGET_UNKNOWN;
    return TRY_SKIP;
}

static enum try_result open_under(struct fetch *f, const char *name, struct sink **out, error *err)
{
    struct sink_env *env = &f->worker->engine->file_env;
    struct sink_spec spec = {.name = name, .origin = f->spec.origin};
    struct provenance from;
    struct sink *sink = NULL;
    bool replace;
    provenance_init(&from);
    /* What stands there is a matter of replacing or not, which the sink has to know at its opening.
     */
    enum try_result seen = look_under(f, name, &replace, err);
    if (seen != TRY_OPENED)
        return seen;
    spec.replace = replace;
    status st = sink_file.open(&sink, env, &spec, &from, err);
    provenance_free(&from);
    if (!st)
        st = sink_file.begin(sink, 0, &f->held, err);
    if (!st)
        seen = look_under(f, name, &replace, err);
    if (!st && seen == TRY_OPENED && replace == spec.replace) {
        *out = sink;
        return TRY_OPENED;
    }
    if (sink) {
        if (!st)
            sink_file.abort(sink, false);
        sink_file.close(sink);
    }
    if (!st && seen == TRY_OPENED)
        return TRY_NEXT;
    /* NAME: another transfer of this run has it. */
    return !st ? seen : st == WEIR_NAME ? TRY_NEXT : TRY_FAILED;
}

static void candidate(struct strbuf *out, const struct fetch *f, const char *name, unsigned n)
{
    strbuf_clear(out);
    if (n == 0)
        strbuf_adds(out, name);
    else if (f->worker->engine->options->save_on_exist == ON_EXIST_RENAME)
        name_with_number(out, name, n);
    else
        name_with_hash(out, name, job_text(f->job, f->job->url));
}

/* The sink borrows its name until it is closed: the outcome owns the text. */
static status take_over(struct fetch *f, const char *name, struct sink **sink, bool *skip,
                        error *err)
{
    unsigned tries = f->worker->engine->options->save_on_exist == ON_EXIST_RENAME ? NUMBERS_MAX : 2;
    struct strbuf text = {0};
    status st = WEIR_NAME;
    bool more = true;
    for (unsigned n = 0; n < tries && more; n++) {
        candidate(&text, f, name, n);
        char *owned = strdup(strbuf_text(&text));
        if (!owned) {
            st = fail(err, WEIR_NOMEM, "out of memory");
            break;
        }
        enum try_result result = open_under(f, owned, sink, err);
        more = result == TRY_NEXT;
        if (more) {
            free(owned);
            error_clear(err); /* of this name; the next may be free */
            continue;
        }
        f->outcome->path = owned;
        *skip = result == TRY_SKIP;
        st = result == TRY_FAILED ? err->status : OK;
    }
    if (st == WEIR_NAME && more)
        fail(err, WEIR_NAME, "%s: the name that the server gave is taken", name);
    strbuf_free(&text);
    return st;
}

status disposition_apply(struct fetch *f, const char *value, bool *skip, error *err)
{
    struct strbuf raw = {.max = 4096}, name = {.max = 4096};
    status st = OK;
    struct sink *sink = NULL;
    if (disposition_filename(&raw, value)) {
        st = name_sanitise(&name, (struct span){raw.p, raw.n}, err);
        if (!st && strcmp(strbuf_text(&name), f->spec.name) != 0)
            st = take_over(f, strbuf_text(&name), &sink, skip, err);
    }
    if (!st && sink) {
        f->sink->type->close(f->sink);
        f->sink = sink;
        f->sink_begun = true;
        f->spec.name = f->outcome->path;
    }
    strbuf_free(&raw);
    strbuf_free(&name);
    return st;
}
