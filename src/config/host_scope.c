/* [host "..."] sections: which of them match a host, and what comes out for it.
 *
 * Sections are sorted by pattern. A host is looked up by its name, then by "*.rest" for each of its
 * labels from the left, which gives the matches from the most specific to the least: a few binary
 * searches, whatever the number of sections. Whatever matches a host besides its most specific
 * match also matches the pattern of that match; so one resolved copy for each section is enough for
 * all hosts.
 *
 * Lookups only read and may run in any thread; the rest belongs to the one that changes the config.
 */
#include <stdlib.h>

#include "config/config_state.h"

#define HOST_MAX 253 /* RFC 1035 section 2.3.4, in text */
#define LABELS_MAX (HOST_MAX / 2 + 2)

/* Lower case, without brackets and without the dot at the end. False when it cannot be a host. */
static bool fold_host(char out[HOST_MAX + 1], struct span s)
{
    if (s.n > 1 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = (struct span){s.p + 1, s.n - 2};
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (!s.n || s.n > HOST_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    out[s.n] = '\0';
    return true;
}

static int compare_pattern(const void *key, const void *item)
{
    const struct scope *const *scope = item;
    return strcmp(key, (*scope)->pattern);
}

static struct scope *find_pattern(const struct weir_config *config, const char *pattern)
{
    if (!config->host_count)
        return NULL;
    struct scope **found =
        bsearch(pattern, config->hosts, config->host_count, sizeof *config->hosts, compare_pattern);
    return found ? *found : NULL;
}

/* ---- lookup ---- */

/* Goes through the sections that match a host, the most specific first. */
struct walk {
    char name[HOST_MAX + 1];
    char *at; /* the pattern to look for next */
};

static bool walk_begin(struct walk *w, struct span host)
{
    w->at = w->name;
    return fold_host(w->name, host);
}

static struct scope *walk_next(struct walk *w, const struct weir_config *config)
{
    while (w->at) {
        struct scope *scope = find_pattern(config, w->at);
        /* From "a.b.c" to "*.b.c" to "*.c"; the byte before the dot is no longer needed. */
        char *dot = strchr(w->at[0] == '*' && w->at[1] ? w->at + 2 : w->at, '.');
        w->at = dot && dot > w->name ? dot - 1 : NULL;
        if (w->at)
            *w->at = '*';
        if (scope)
            return scope;
    }
    return NULL;
}

struct scope *host_scope_match(const struct weir_config *config, const char *host, int row)
{
    struct walk w;
    struct scope *scope;
    if (!config->host_count || !host || !walk_begin(&w, span_of(host)))
        return NULL;
    while ((scope = walk_next(&w, config)) != NULL)
        if (row < 0 || scope->settings[row].level != LEVEL_NONE)
            return scope;
    return NULL;
}

static void resolve(const struct weir_config *config, struct scope *scope)
{
    struct scope *matches[LABELS_MAX];
    size_t n = 0;
    struct walk w;
    scope->resolved = config->run.own;
    if (!walk_begin(&w, span_of(scope->pattern)))
        return;
    while (n < LABELS_MAX && (matches[n] = walk_next(&w, config)) != NULL)
        n++;
    while (n--)
        for (size_t row = 0; row < OPTION_ROWS; row++)
            if (matches[n]->settings[row].level != LEVEL_NONE)
                option_borrow(&scope->resolved, &matches[n]->own, row);
}

void host_scopes_resolve(struct weir_config *config)
{
    for (size_t i = 0; i < config->host_count; i++)
        resolve(config, config->hosts[i]);
}

/* ---- making ---- */

static const char *wrong_with(const char *pattern)
{
    const char *rest = strncmp(pattern, "*.", 2) == 0 ? pattern + 2 : pattern;
    const char *colon = strchr(rest, ':');
    /* Its NUL is one of the bytes that "*." was compared with. */
    if (!*rest || strchr(rest, '*')) // NOLINT(clang-analyzer-core.uninitialized.Branch)
        return "a * may stand only in front of a name, as in *.example.org";
    if (strpbrk(rest, "/@ \t\"'[]?#") || *rest == '.' || strstr(rest, ".."))
        return "is not a host name; write it as in data.example.org or *.example.org";
    if (colon && !strchr(colon + 1, ':'))
        return "write the name without its port";
    return NULL;
}

/* Puts the scope where the order of the patterns wants it. */
static status insert(struct weir_config *config, struct scope *scope, error *err)
{
    size_t n = config->host_count;
    struct scope **hosts = realloc(config->hosts, (n + 1) * sizeof *hosts);
    if (!hosts)
        return fail(err, WEIR_NOMEM, "out of memory");
    config->hosts = hosts;
    while (n && strcmp(hosts[n - 1]->pattern, scope->pattern) > 0) {
        hosts[n] = hosts[n - 1];
        n--;
    }
    hosts[n] = scope;
    config->host_count++;
    return OK;
}

status host_scope_get(struct weir_config *config, struct span pattern, struct scope **out,
                      const struct place *place, error *err)
{
    char name[HOST_MAX + 1];
    if (pattern.n > 1 && pattern.p[0] == '"' && pattern.p[pattern.n - 1] == '"')
        pattern = (struct span){pattern.p + 1, pattern.n - 2};
    if (!fold_host(name, pattern))
        return place_fail(
            err, place, WEIR_CONFIG,
            "a host has a name of 1 to 253 characters, as in [host \"data.example.org\"]");
    const char *wrong = wrong_with(name);
    if (wrong) {
        struct strbuf shown = {0};
        strbuf_add_printable(&shown, span_of(name));
        status st =
            place_fail(err, place, WEIR_CONFIG, "[host \"%s\"]: %s", strbuf_text(&shown), wrong);
        strbuf_free(&shown);
        return st;
    }
    *out = find_pattern(config, name);
    if (*out)
        return OK;
    struct scope *scope = calloc(1, sizeof *scope);
    if (!scope || !(scope->pattern = strdup(name))) {
        free(scope);
        return fail(err, WEIR_NOMEM, "out of memory");
    }
    status st = insert(config, scope, err);
    if (st) {
        free(scope->pattern);
        free(scope);
        return st;
    }
    *out = scope;
    return OK;
}
