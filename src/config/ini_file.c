/* INI files: inih takes a line apart, a reader of our own feeds it. One thread.
 *
 * As packaged, inih refuses lines over 200 characters, cuts section names at 49, ends a value at
 * " ;", takes an indented line for one more value of the key above it, goes on after an error, and
 * tells its handler no line numbers. So the reader hands it one short line for each line of the
 * file, in which the section and the value are placeholders, and keeps the real ones for the
 * handler. A value can thus hold anything and be long, and a comment stands on a line of its own.
 */
#include <ini.h>

#include <stdio.h>

#include "config/config_lines.h"
#include "config/config_state.h"

#define KEY_SHOWN_MAX 100

struct ini_load {
    struct weir_config *config;
    struct config_lines lines;
    struct scope *scope;   /* of the section in hand; NULL before the first */
    struct strbuf section; /* its name; empty in a host section */
    struct span value;     /* of the line in hand; ends in NUL */
    status st;             /* the first trouble ends it */
    error *err;
};

static struct place place_of(const struct ini_load *load)
{
    return (struct place){LEVEL_FILE, load->lines.path, load->lines.number};
}

static bool is_comment(struct span s)
{
    return s.n && (s.p[0] == ';' || s.p[0] == '#');
}

/* What stands between the brackets of a section line; false when it is not one. */
static bool section_name(struct span line, struct span *name)
{
    bool quoted = false;
    for (size_t i = 1; i < line.n; i++) {
        if (line.p[i] == '"')
            quoted = !quoted;
        if (line.p[i] == ']' && !quoted) {
            struct span rest = span_trim((struct span){line.p + i + 1, line.n - i - 1});
            *name = span_trim((struct span){line.p + 1, i - 1});
            return rest.n == 0 || is_comment(rest);
        }
    }
    return false;
}

static status refuse_section(struct ini_load *load, struct span name)
{
    struct place place = place_of(load);
    struct strbuf shown = {0}, hint = {0};
    strbuf_add_printable(&shown, (struct span){name.p, name.n < 80 ? name.n : 80});
    option_suggest_section(&hint, name);
    status st = place_fail(load->err, &place, WEIR_CONFIG, "[%s]: unknown section%s",
                           strbuf_text(&shown), strbuf_text(&hint));
    strbuf_free(&shown);
    strbuf_free(&hint);
    return st;
}

static status begin_section(struct ini_load *load, struct span line)
{
    struct place place = place_of(load);
    struct span name;
    if (!section_name(line, &name))
        return place_fail(load->err, &place, WEIR_CONFIG,
                          "a section is written [name] or [host \"name\"]");
    strbuf_clear(&load->section);
    if (span_equal(name, "host") || span_starts(name, "host ") || span_starts(name, "host\t") ||
        span_starts(name, "host\"")) {
        struct span host = span_trim((struct span){name.p + 4, name.n - 4});
        return host_scope_get(load->config, host, &load->scope, &place, load->err);
    }
    if (!option_section_exists(name))
        return refuse_section(load, name);
    strbuf_add(&load->section, name.p, name.n);
    load->scope = &load->config->run;
    return OK;
}

/* Writes the line that inih gets for a "key = value" line. */
static status take_setting(struct ini_load *load, struct span line, char *out, size_t cap)
{
    struct place place = place_of(load);
    size_t n = 0;
    while (n < line.n && line.p[n] != '=' && line.p[n] != ':')
        n++;
    struct span key = span_trim((struct span){line.p, n});
    if (n == line.n || !key.n)
        return place_fail(load->err, &place, WEIR_CONFIG,
                          "the line is neither [section] nor key = value nor a comment");
    if (!load->scope)
        return place_fail(load->err, &place, WEIR_CONFIG,
                          "the line stands before the first [section]; put it under one");
    load->value = span_trim((struct span){line.p + n + 1, line.n - n - 1});
    size_t shown = key.n < KEY_SHOWN_MAX ? key.n : KEY_SHOWN_MAX;
    snprintf(out, cap, "%.*s=v\n", (int)shown, key.p);
    return OK;
}

/* inih's reader, as fgets: one short line for each line of the file. */
static char *read_line(char *out, int cap, void *user)
{
    struct ini_load *load = user;
    struct span line;
    if (load->st)
        return NULL;
    load->st = config_lines_next(&load->lines, &line, load->err);
    if (load->st)
        return NULL;
    if (!line.n || is_comment(line)) {
        snprintf(out, (size_t)cap, "\n");
    } else if (line.p[0] == '[') {
        load->st = begin_section(load, line);
        snprintf(out, (size_t)cap, "[s]\n");
    } else {
        load->st = take_setting(load, line, out, (size_t)cap);
    }
    return load->st ? NULL : out;
}

/* inih's handler; section and value are placeholders. */
static int set_option(void *user, const char *section, const char *key, const char *value)
{
    struct ini_load *load = user;
    struct place place = place_of(load);
    struct strbuf name = {0};
    if (load->st)
        return 0;
    if (load->section.n)
        strbuf_addf(&name, "%s.", strbuf_text(&load->section));
    strbuf_adds(&name, key);
    if (name.failed || load->section.failed)
        load->st = fail(load->err, WEIR_NOMEM, "out of memory");
    else
        load->st = scope_set(load->scope, (struct span){strbuf_text(&name), name.n}, load->value.p,
                             &place, load->err);
    strbuf_free(&name);
    return load->st == OK;
}

status ini_file_load(struct weir_config *config, const char *path, error *err)
{
    struct ini_load load = {.config = config, .err = err};
    status st = config_lines_open(&load.lines, path, err);
    if (st)
        return st;
    int bad_line = ini_parse_stream(read_line, &load, set_option, &load);
    st = load.st == WEIR_END ? OK : load.st;
    if (!st && bad_line)
        st = fail(err, WEIR_CONFIG, "%s:%d: the key cannot be read", path, bad_line);
    strbuf_free(&load.section);
    config_lines_close(&load.lines);
    return st;
}
