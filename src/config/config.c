/* A configuration: defaults, files and single settings, level upon level.
 *
 * Changed by one thread; while nobody changes it, config_options and config_for_host may be called
 * from any.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config_state.h"
#include "config/option_value.h"

status place_fail(error *err, const struct place *place, status st, const char *format, ...)
{
    error inner;
    va_list args;
    va_start(args, format);
    vsnprintf(inner.message, sizeof inner.message, format, args);
    va_end(args);
    if (place->file)
        return fail(err, st, "%s:%u: %s", place->file, place->line, inner.message);
    return fail(err, st, "%s", inner.message);
}

/* ---- one scope ---- */

void scope_clear(struct scope *scope)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        option_clear(&scope->own, i);
        free(scope->settings[i].origin);
    }
    free(scope->pattern);
}

/* Reads the value into the scope as the levels want it. */
static status store(struct scope *scope, size_t row, const char *value, enum level level,
                    error *err)
{
    enum level held = scope->settings[row].level;
    bool is_list = option_type_of(row) == TYPE_LIST;
    if (is_list && level == held && *value)
        return option_parse(&scope->own, row, value, err);
    struct options fresh = {0};
    status st = option_parse(&fresh, row, value, err);
    if (st || level < held) {
        option_clear(&fresh, row);
        return st;
    }
    option_clear(&scope->own, row);
    option_borrow(&scope->own, &fresh, row);
    return OK;
}

static status find_row(const struct scope *scope, struct span name, size_t *row,
                       const struct place *place, error *err)
{
    int found = option_find(name);
    if (found < 0) {
        struct strbuf hint = {0}, shown = {0};
        option_suggest(&hint, name);
        strbuf_add_printable(&shown, (struct span){name.p, name.n < 80 ? name.n : 80});
        status st = place_fail(err, place, WEIR_CONFIG, "%s: unknown option%s", strbuf_text(&shown),
                               strbuf_text(&hint));
        strbuf_free(&hint);
        strbuf_free(&shown);
        return st;
    }
    const weir_option *option = weir_option_at((size_t)found);
    if (scope->pattern && !option->per_host)
        return place_fail(err, place, WEIR_CONFIG,
                          "%s.%s: holds for the whole run and cannot be set for one host; put it "
                          "under [%s]",
                          option->section, option->key, option->section);
    *row = (size_t)found;
    return OK;
}

/* A comment behind a value is the likely reason when a file's value with ';' or '#' is refused. */
static const char *comment_hint(const struct place *place, const char *value)
{
    bool suspect = strstr(value, " ;") || strstr(value, " #") || strstr(value, "\t;");
    return place->file && suspect ? " (a comment needs a line of its own)" : "";
}

status scope_set(struct scope *scope, struct span name, const char *value,
                 const struct place *place, error *err)
{
    size_t row = 0;
    status st = find_row(scope, name, &row, place, err);
    if (st)
        return st;
    char *origin = NULL;
    if (place->file && asprintf(&origin, "%s:%u", place->file, place->line) < 0)
        return fail(err, WEIR_NOMEM, "out of memory");
    error inner = {0};
    st = store(scope, row, value, place->level, &inner);
    if (st) {
        free(origin);
        const weir_option *option = weir_option_at(row);
        return place_fail(err, place, st, "%s%s%s%s.%s: %s%s", scope->pattern ? "[host \"" : "",
                          scope->pattern ? scope->pattern : "", scope->pattern ? "\"] " : "",
                          option->section, option->key, inner.message, comment_hint(place, value));
    }
    struct setting *setting = &scope->settings[row];
    if (place->level < setting->level) {
        free(origin);
        return OK;
    }
    free(setting->origin);
    *setting = (struct setting){place->level, origin};
    return OK;
}

/* ---- the whole ---- */

status weir_config_new(weir_config **out, weir_error *err)
{
    struct weir_config *config = calloc(1, sizeof *config);
    if (!config)
        return fail(err, WEIR_NOMEM, "out of memory");
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        status st = option_parse(&config->run.own, i, weir_option_at(i)->value, err);
        if (st) {
            weir_config_free(config);
            return st;
        }
        config->run.settings[i].level = LEVEL_DEFAULT;
    }
    *out = config;
    return OK;
}

void weir_config_free(weir_config *config)
{
    if (!config)
        return;
    scope_clear(&config->run);
    for (size_t i = 0; i < config->host_count; i++) {
        scope_clear(config->hosts[i]);
        free(config->hosts[i]);
    }
    free(config->hosts);
    strbuf_free(&config->shown);
    free(config);
}

status weir_config_load(weir_config *config, const char *path, weir_error *err)
{
    status st = ini_file_load(config, path, err);
    host_scopes_resolve(config);
    return st;
}

/* Splits "host NAME section.key"; *host is empty when the name has no host. */
static struct span split_host(const char *name, struct span *host)
{
    struct span s = span_trim(span_of(name));
    *host = (struct span){NULL, 0};
    if (!span_starts(s, "host "))
        return s;
    size_t last = s.n;
    while (s.p[last - 1] != ' ')
        last--;
    *host = span_trim((struct span){s.p + 5, last - 5});
    return (struct span){s.p + last, s.n - last};
}

status weir_config_set(weir_config *config, const char *name, const char *value, weir_error *err)
{
    const struct place place = {.level = LEVEL_COMMAND};
    struct span host;
    struct span option = split_host(name, &host);
    struct scope *scope = &config->run;
    status st = OK;
    if (!value)
        return fail(err, WEIR_USAGE, "%s: no value was given", name);
    if (host.n)
        st = host_scope_get(config, host, &scope, &place, err);
    if (!st)
        st = scope_set(scope, option, value, &place, err);
    host_scopes_resolve(config);
    return st;
}

/* The scope that decides the option for the name's host, or for the run. -1: no such option. */
static int find_setting(weir_config *config, const char *name, struct scope **scope)
{
    struct span host;
    struct span option = split_host(name, &host);
    int row = option_find(option);
    *scope = &config->run;
    if (row >= 0 && host.n) {
        struct strbuf text = {0};
        strbuf_add(&text, host.p, host.n);
        struct scope *match = host_scope_match(config, strbuf_text(&text), row);
        strbuf_free(&text);
        if (match)
            *scope = match;
    }
    return row;
}

const char *weir_config_get(weir_config *config, const char *name)
{
    struct scope *scope;
    int row = find_setting(config, name, &scope);
    if (row < 0)
        return NULL;
    strbuf_clear(&config->shown);
    option_format(&config->shown, &scope->own, (size_t)row);
    return strbuf_text(&config->shown);
}

const char *weir_config_origin(weir_config *config, const char *name)
{
    struct scope *scope;
    int row = find_setting(config, name, &scope);
    if (row < 0)
        return NULL;
    const struct setting *setting = &scope->settings[row];
    if (setting->origin)
        return setting->origin;
    return setting->level == LEVEL_COMMAND ? "command line" : "default";
}

const char *weir_config_host_at(weir_config *config, size_t i)
{
    return i < config->host_count ? config->hosts[i]->pattern : NULL;
}

const struct options *config_options(weir_config *config)
{
    return &config->run.own;
}

const struct options *config_for_host(weir_config *config, const char *host)
{
    const struct scope *scope = host_scope_match(config, host, -1);
    return scope ? &scope->resolved : &config->run.own;
}
