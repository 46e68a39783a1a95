/* The option table: its rows, its defaults, what is refused, and config/weir.ini.
 *
 *   test_options --write FILE   writes config/weir.ini anew from the table
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config_state.h"
#include "config/option_value.h"
#include "config/reference.h"
#include "core/clock.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

static weir_config *new_config(void)
{
    weir_config *config = NULL;
    weir_error err = {0};
    assert_int_equal(weir_config_new(&config, &err), WEIR_OK);
    return config;
}

static void set(weir_config *config, const char *name, const char *value)
{
    weir_error err = {0};
    if (weir_config_set(config, name, value, &err))
        fail_msg("%s = \"%s\" was refused: %s", name, value, err.message);
}

static void assert_refused(const char *name, const char *value, const char *message)
{
    weir_config *config = new_config();
    weir_error err = {0};
    if (weir_config_set(config, name, value, &err) == WEIR_OK)
        fail_msg("%s = \"%s\" was taken", name, value);
    assert_int_equal(err.status, WEIR_CONFIG);
    assert_string_equal(err.message, message);
    weir_config_free(config);
}

static void full_name(char out[64], const weir_option *o)
{
    snprintf(out, 64, "%s.%s", o->section, o->key);
}

static void defaults_have_the_documented_values(void **state)
{
    (void)state;
    weir_config *config = new_config();
    const struct options *o = config_options(config);
    assert_int_equal(o->run_workers, 0);
    assert_int_equal(o->run_concurrency, 16);
    assert_int_equal(o->run_queue, 4096);
    assert_int_equal(o->run_buffer, 128 * 1024);
    assert_true(o->run_max_failures.count == 0 && o->run_max_failures.percent <= 0);
    assert_int_equal(o->limits_per_host, 8);
    assert_true(o->limits_rate <= 0 && o->limits_bandwidth <= 0);
    assert_int_equal(o->retry_retries, 5);
    assert_int_equal(o->retry_backoff, NS_PER_S);
    assert_int_equal(o->retry_backoff_max, 60 * NS_PER_S);
    assert_int_equal(o->retry_retry_after_max, 3600 * NS_PER_S);
    for (int code = 0; code < 640; code++)
        assert_int_equal(status_set_has(&o->retry_statuses, code),
                         code == 408 || code == 425 || code == 429 || code == 500 ||
                             (code >= 502 && code <= 504));
    assert_int_equal(o->http_version, HTTP_VERSION_1_1);
    assert_null(o->http_user_agent);
    assert_int_equal(o->http_header.n, 0);
    assert_int_equal(o->http_stall_speed, 1);
    assert_true(o->http_verify_tls);
    assert_string_equal(o->http_netrc, "no");
    assert_string_equal(o->http_protocols, "http,https");
    assert_string_equal(o->save_dir, ".");
    assert_string_equal(o->save_name, "{basename}");
    assert_int_equal(o->save_on_exist, ON_EXIST_SKIP);
    assert_int_equal(o->save_durability, DURABILITY_BATCH);
    assert_int_equal(o->save_preallocate, PREALLOCATE_AUTO);
    assert_null(o->input_format);
    assert_int_equal(o->progress_interval, 0);
    weir_config_free(config);
}

static void every_default_round_trips(void **state)
{
    (void)state;
    weir_config *config = new_config();
    const weir_option *o;
    for (size_t i = 0; (o = weir_option_at(i)) != NULL; i++) {
        char name[64];
        full_name(name, o);
        char *text = strdup(weir_config_get(config, name));
        assert_string_equal(weir_config_origin(config, name), "default");
        set(config, name, text);
        assert_string_equal(weir_config_get(config, name), text);
        set(config, name, o->value);
        assert_string_equal(weir_config_get(config, name), text);
        assert_string_equal(weir_config_origin(config, name), "command line");
        free(text);
    }
    weir_config_free(config);
}

static void bounds_of_every_number_hold_at_both_ends(void **state)
{
    (void)state;
    const weir_option *o;
    size_t checked = 0;
    for (size_t i = 0; (o = weir_option_at(i)) != NULL; i++) {
        enum option_type type = option_type_of(i);
        if (type != TYPE_COUNT && type != TYPE_SIZE && type != TYPE_TIME)
            continue;
        weir_config *config = new_config();
        char name[64], low[32], beyond[48];
        full_name(name, o);
        const char *bounds = strchr(o->allowed, '|') ? strchr(o->allowed, '|') + 1 : o->allowed;
        size_t n = strcspn(bounds, ".");
        snprintf(low, sizeof low, "%.*s", (int)n, bounds);
        set(config, name, low);
        if (bounds[n + 2]) {
            set(config, name, bounds + n + 2);
            int64_t high = *(int64_t *)option_field(&config->run.own, i);
            snprintf(beyond, sizeof beyond, "%lld%s", (long long)high + 1,
                     type == TYPE_TIME ? "ns" : "");
            assert_int_equal(weir_config_set(config, name, beyond, NULL), WEIR_CONFIG);
            assert_int_equal(*(int64_t *)option_field(&config->run.own, i), high);
        }
        weir_config_free(config);
        checked++;
    }
    assert_true(checked > 15);
}

static void flags_and_names_are_unique_and_rows_are_whole(void **state)
{
    (void)state;
    const weir_option *a, *b;
    for (size_t i = 0; (a = weir_option_at(i)) != NULL; i++) {
        assert_true(strlen(a->help) > 0 && strlen(a->help) < 92 && !strchr(a->help, '\n'));
        assert_true(*a->allowed && *a->type);
        /* A flag has either an argument or the value that it sets; without a flag there is no
         * letter. */
        if (a->flag)
            assert_true(!a->arg == !!a->flag_value);
        else
            assert_true(!a->letter && !a->alias);
        for (size_t j = 0; j < i; j++) {
            b = weir_option_at(j);
            assert_false(!strcmp(a->section, b->section) && !strcmp(a->key, b->key));
            const char *names_a[] = {a->flag, a->alias}, *names_b[] = {b->flag, b->alias};
            for (int k = 0; k < 4; k++)
                if (names_a[k / 2] && names_b[k % 2])
                    assert_string_not_equal(names_a[k / 2], names_b[k % 2]);
            assert_false(a->letter && a->letter == b->letter);
        }
    }
    assert_null(weir_option_at(OPTION_ROWS + 1000));
}

static void flags_of_the_manual_exist(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *name;
        char letter;
    } wanted[] = {
        {"base-url", "input.base_url", 0},
        {"dir", "save.dir", 'd'},
        {"name", "save.name", 0},
        {"tree", "save.tree", 0},
        {"cut-dirs", "save.cut_dirs", 0},
        {"on-exist", "save.on_exist", 0},
        {"concurrency", "run.concurrency", 'j'},
        {"workers", "run.workers", 0},
        {"per-host", "limits.per_host", 0},
        {"rate", "limits.rate", 0},
        {"host-rate", "limits.host_rate", 0},
        {"bandwidth", "limits.bandwidth", 0},
        {"host-bandwidth", "limits.host_bandwidth", 0},
        {"retries", "retry.retries", 0},
        {"max-failures", "run.max_failures", 0},
        {"min-free", "save.min_free", 0},
        {"header", "http.header", 'H'},
        {"user", "http.user", 0},
        {"user-agent", "http.user_agent", 0},
        {"proxy", "http.proxy", 0},
        {"insecure", "http.verify_tls", 0},
        {"report", "report.path", 0},
        {"failed", "report.failed", 0},
        {"progress", "progress.style", 0},
        {"format", "input.format", 0},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int row = option_find(span_of(wanted[i].name));
        assert_true(row >= 0);
        const weir_option *o = weir_option_at((size_t)row);
        assert_non_null(o->flag);
        assert_string_equal(o->flag, wanted[i].flag);
        assert_int_equal(o->letter, wanted[i].letter);
    }
}

static void bad_values_are_refused_with_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *message;
    } table[] = {
        {"limits.rate", "fast",
         "limits.rate: \"fast\" is not a rate; write a number with /s, /m or /h, as in 50/s"},
        {"run.workers", "500", "run.workers: \"500\" is out of range; allowed: 0..256"},
        {"run.workers", "-1", "run.workers: \"-1\" is not a count; write a whole number, as in 16"},
        {"run.workers", "1.5",
         "run.workers: \"1.5\" is not a count; write a whole number, as in 16"},
        {"http.connect_timeout", "0",
         "http.connect_timeout: \"0\" is out of range; allowed: 1ms..24h"},
        {"http.timeout", "5 years",
         "http.timeout: \"5 years\" is not a time; write a number with ms, s, m or h, as in 30s"},
        {"run.buffer", "1Xi",
         "run.buffer: \"1Xi\" is not a size; write a number of bytes, or with k, M, G or Ki, Mi, "
         "Gi, as in 64Ki"},
        {"limits.bandwidth", "lots",
         "limits.bandwidth: \"lots\" is not a bandwidth; write bytes a second, as in 500k, 10M or "
         "10M/s"},
        {"save.on_exist", "ski",
         "save.on_exist: \"ski\" is not a choice; allowed: skip|overwrite|rename|update"},
        {"save.on_exist", "",
         "save.on_exist: \"\" is not a choice; allowed: skip|overwrite|rename|update"},
        {"save.tree", "maybe", "save.tree: \"maybe\" is neither yes nor no; allowed: yes|no"},
        {"save.dir", "", "save.dir: \"\" is empty; allowed: name of a directory"},
        {"save.dir", "a\nb",
         "save.dir: \"a\\x0ab\" holds a control character; allowed: name of a directory"},
        {"save.name", "a\x7f",
         "save.name: \"a\\x7f\" holds a control character; allowed: text with {basename} {host} "
         "{path} {index} {id} {hash}"},
        {"http.user", "me:\x01secret",
         "http.user: the value holds a control character; allowed: NAME:PASSWORD"},
        {"input.format", "xml",
         "input.format: \"xml\" is not a choice; allowed: "
         "urls|tsv|csv|jsonl|sums|aria2|metalink|pattern|pairs"},
        {"http.protocols", "http,ftp",
         "http.protocols: \"http,ftp\" holds an unknown word; allowed: list of http|https"},
        {"retry.statuses", "408,abc",
         "retry.statuses: \"408,abc\" is not a list of status codes; allowed: HTTP status codes "
         "100..599 with commas between them"},
        {"retry.statuses", "99",
         "retry.statuses: \"99\" is not a list of status codes; allowed: HTTP status codes "
         "100..599 with commas between them"},
        {"run.max_failures", "101%",
         "run.max_failures: \"101%\" is not a share of at most 100%; allowed: a count such as 100, "
         "or a share such as 5%"},
        {"http.header", "Authorization Bearer abcdef",
         "http.header: \"Authorizatio...\" does not begin with a header name and a colon; write "
         "\"Name: value\", or @FILE"},
        {"http.header", "Nocolon",
         "http.header: \"Nocolon\" has no colon; write \"Name: value\", or @FILE"},
        {"http.header", ": x",
         "http.header: \": x\" does not begin with a header name and a colon; write \"Name: "
         "value\", or @FILE"},
        {"http.header", "X: a\r\nY: b",
         "http.header: \"X: a\\x0d\\x0aY: b\" holds a line break or another control character; "
         "write \"Name: value\", or @FILE"},
        {"limits.rat", "1/s", "limits.rat: unknown option; did you mean limits.rate?"},
        {"run.rate", "1/s", "run.rate: unknown option; did you mean limits.rate?"},
        {"rate", "1/s", "rate: unknown option; did you mean limits.rate?"},
        {"htp.heder", "x", "htp.heder: unknown option; did you mean http.header?"},
        {"", "x", ": unknown option; `weir config` lists every option"},
        {"host x", "x", "x: unknown option; `weir config` lists every option"},
        {"colour.of_the_sea", "blue",
         "colour.of_the_sea: unknown option; `weir config` lists every option"},
        {"host a.org limits.rate", "1/s",
         "limits.rate: holds for the whole run and cannot be set for one host; put it under "
         "[limits]"},
        {"host a.org limits.host_rate", "x",
         "[host \"a.org\"] limits.host_rate: \"x\" is not a rate; write a number with /s, /m or "
         "/h, as in 50/s"},
        {"host a.org:80 http.proxy", "x", "[host \"a.org:80\"]: write the name without its port"},
        {"host a.*.org http.proxy", "x",
         "[host \"a.*.org\"]: a * may stand only in front of a name, as in *.example.org"},
        {"host https://a.org http.proxy", "x",
         "[host \"https://a.org\"]: is not a host name; write it as in data.example.org or "
         "*.example.org"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_refused(table[i].name, table[i].value, table[i].message);
}

static void a_refused_value_leaves_the_old_one(void **state)
{
    (void)state;
    weir_config *config = new_config();
    set(config, "http.user_agent", "one");
    set(config, "http.header", "A: 1");
    assert_int_equal(weir_config_set(config, "http.user_agent", "two\n", NULL), WEIR_CONFIG);
    assert_int_equal(weir_config_set(config, "http.header", "bad", NULL), WEIR_CONFIG);
    assert_int_equal(weir_config_set(config, "run.workers", "bad", NULL), WEIR_CONFIG);
    assert_string_equal(weir_config_get(config, "http.user_agent"), "one");
    assert_string_equal(weir_config_get(config, "http.header"), "A: 1");
    assert_string_equal(weir_config_origin(config, "run.workers"), "default");
    weir_config_free(config);
}

static void a_long_bad_value_is_cut_in_the_message(void **state)
{
    (void)state;
    char value[3000];
    weir_error err = {0};
    weir_config *config = new_config();
    for (size_t i = 0; i + 2 < sizeof value; i += 2)
        memcpy(value + i, "\xc3\xa4", 3);
    assert_int_equal(weir_config_set(config, "limits.rate", value, &err), WEIR_CONFIG);
    assert_non_null(strstr(err.message, "...\" is not a rate; write"));
    assert_null(strstr(err.message, "\xef\xbf\xbd"));
    weir_config_free(config);
}

static void an_unknown_name_has_no_value(void **state)
{
    (void)state;
    weir_config *config = new_config();
    assert_null(weir_config_get(config, "run.nothing"));
    assert_null(weir_config_origin(config, ""));
    assert_int_equal(weir_config_set(config, "run.workers", NULL, NULL), WEIR_USAGE);
    weir_config_free(config);
    weir_config_free(NULL);
}

static void a_list_grows_within_the_command_line(void **state)
{
    (void)state;
    weir_config *config = new_config();
    set(config, "http.header", "A: 1");
    set(config, "http.header", "  B: 2 ");
    assert_string_equal(weir_config_get(config, "http.header"), "A: 1\nB: 2");
    assert_int_equal(config_options(config)->http_header.n, 2);
    set(config, "http.header", "");
    assert_string_equal(weir_config_get(config, "http.header"), "");
    weir_config_free(config);
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s cannot be opened", path);
    struct strbuf text = {0};
    int c;
    while ((c = getc(f)) != EOF)
        strbuf_addc(&text, (char)c);
    fclose(f);
    return text.p;
}

static void shipped_ini_is_what_the_table_says(void **state)
{
    (void)state;
    char *shipped = read_file(WEIR_SOURCE_DIR "/config/weir.ini");
    struct strbuf wanted = {0};
    config_write_reference(&wanted);
    if (strcmp(shipped, strbuf_text(&wanted)) != 0)
        fail_msg("config/weir.ini differs from src/config/options.def; run test_options --write "
                 "config/weir.ini");
    free(shipped);
    strbuf_free(&wanted);
}

/* Takes the ';' of every setting away. */
static void write_uncommented(FILE *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool at_start = p == text || p[-1] == '\n';
        if (!(at_start && *p == ';' && p[1] != ' ' && p[1] != '\n'))
            putc(*p, out);
    }
    fclose(out);
}

static void shipped_ini_without_its_semicolons_gives_the_defaults(void **state)
{
    (void)state;
    char path[] = "/tmp/weir_ini_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char *shipped = read_file(WEIR_SOURCE_DIR "/config/weir.ini");
    write_uncommented(fdopen(fd, "w"), shipped);
    free(shipped);
    weir_config *defaults = new_config(), *loaded = new_config();
    weir_error err = {0};
    if (weir_config_load(loaded, path, &err))
        fail_msg("%s", err.message);
    unlink(path);
    const weir_option *o;
    for (size_t i = 0; (o = weir_option_at(i)) != NULL; i++) {
        char name[64];
        full_name(name, o);
        assert_string_equal(weir_config_get(loaded, name), weir_config_get(defaults, name));
        if (strncmp(weir_config_origin(loaded, name), path, strlen(path)) != 0)
            fail_msg("%s does not stand in config/weir.ini", name);
    }
    assert_string_equal(weir_config_host_at(loaded, 0), "data.example.org");
    weir_config_free(defaults);
    weir_config_free(loaded);
}

static int write_reference(const char *path)
{
    struct strbuf text = {0};
    config_write_reference(&text);
    FILE *f = fopen(path, "w");
    bool bad = !f || fputs(strbuf_text(&text), f) < 0;
    if (f && fclose(f) != 0)
        bad = true;
    strbuf_free(&text);
    if (bad)
        perror(path);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_reference(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_have_the_documented_values),
        cmocka_unit_test(every_default_round_trips),
        cmocka_unit_test(bounds_of_every_number_hold_at_both_ends),
        cmocka_unit_test(flags_and_names_are_unique_and_rows_are_whole),
        cmocka_unit_test(flags_of_the_manual_exist),
        cmocka_unit_test(bad_values_are_refused_with_the_way_out),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(a_long_bad_value_is_cut_in_the_message),
        cmocka_unit_test(an_unknown_name_has_no_value),
        cmocka_unit_test(a_list_grows_within_the_command_line),
        cmocka_unit_test(shipped_ini_is_what_the_table_says),
        cmocka_unit_test(shipped_ini_without_its_semicolons_gives_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
