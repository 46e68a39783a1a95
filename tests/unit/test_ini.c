/* INI files: what inih would get wrong, levels, host sections, and what a bad file is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/options.h"
#include "core/clock.h"
#include "core/text.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

/* Every test has a folder of its own, and works in it, so that messages name "weir.ini". */
static int enter_folder(void **state)
{
    char path[] = "/tmp/weir_test_ini_XXXXXX";
    if (!mkdtemp(path) || chdir(path) != 0)
        return -1;
    *state = strdup(path);
    return 0;
}

static int leave_folder(void **state)
{
    const char *const names[] = {"weir.ini", "more.ini", "headers.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(names[i]);
    int failed = chdir("/") != 0 || rmdir(*state) != 0;
    free(*state);
    return failed ? -1 : 0;
}

static void write_bytes(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

static weir_config *new_config(void)
{
    weir_config *config = NULL;
    assert_int_equal(weir_config_new(&config, NULL), WEIR_OK);
    return config;
}

static void load(weir_config *config, const char *path)
{
    weir_error err = {0};
    if (weir_config_load(config, path, &err))
        fail_msg("%s was refused: %s", path, err.message);
}

static weir_config *loaded(const char *text)
{
    weir_config *config = new_config();
    write_text("weir.ini", text);
    load(config, "weir.ini");
    return config;
}

static void assert_bytes_refused(const void *data, size_t n, const char *message)
{
    weir_config *config = new_config();
    weir_error err = {0};
    write_bytes("weir.ini", data, n);
    if (weir_config_load(config, "weir.ini", &err) == WEIR_OK)
        fail_msg("the file was taken; wanted: %s", message);
    assert_int_equal(err.status, WEIR_CONFIG);
    assert_string_equal(err.message, message);
    weir_config_free(config);
}

static void assert_value(weir_config *config, const char *name, const char *value)
{
    assert_string_equal(weir_config_get(config, name), value);
}

/* ---- what is read ---- */

static void sections_keys_and_comments_are_read(void **state)
{
    (void)state;
    weir_config *config = loaded("; a comment\n"
                                 "# another\n"
                                 "\n"
                                 "[limits]\n"
                                 "rate = 50/s\n"
                                 "  ; an indented comment\n"
                                 "per_host=3\n"
                                 "[ retry ] ; behind a section\n"
                                 "\tbackoff : 200ms\n"
                                 "[limits]\n"
                                 "bandwidth=10M");
    assert_value(config, "limits.rate", "50/s");
    assert_value(config, "limits.per_host", "3");
    assert_value(config, "limits.bandwidth", "10M/s");
    assert_int_equal(config_options(config)->retry_backoff, 200 * NS_PER_MS);
    assert_string_equal(weir_config_origin(config, "limits.rate"), "weir.ini:5");
    assert_string_equal(weir_config_origin(config, "limits.per_host"), "weir.ini:7");
    assert_string_equal(weir_config_origin(config, "limits.bandwidth"), "weir.ini:11");
    assert_string_equal(weir_config_origin(config, "http.timeout"), "default");
    weir_config_free(config);
}

static void an_empty_file_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "; nothing", "\r\n\r\n", "\xef\xbb\xbf", "[run]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_config *config = loaded(texts[i]);
        assert_value(config, "run.concurrency", "16");
        weir_config_free(config);
    }
}

static void line_ends_and_byte_order_mark_of_other_systems_are_taken(void **state)
{
    (void)state;
    weir_config *config =
        loaded("\xef\xbb\xbf[http]\r\nuser_agent = a b \r\n[save]\r\ndir = x\r\n");
    assert_value(config, "http.user_agent", "a b");
    assert_value(config, "save.dir", "x");
    weir_config_free(config);
}

/* inih alone would take the second line as one more value of the key above it. */
static void an_indented_line_is_a_setting_of_its_own(void **state)
{
    (void)state;
    weir_config *config = loaded("[http]\nuser_agent = one\n    proxy = http://127.0.0.1:1\n");
    assert_value(config, "http.user_agent", "one");
    assert_value(config, "http.proxy", "http://127.0.0.1:1");
    weir_config_free(config);
}

/* inih alone cuts values at " ;" and would split at the wrong sign. */
static void a_value_may_hold_semicolons_hashes_equal_signs_and_colons(void **state)
{
    (void)state;
    weir_config *config = loaded("[http]\n"
                                 "user_agent = a ; b = c # d : [e] \"f\"\n"
                                 "header = Cookie: x=1 ; y=2; z=#3\n"
                                 "proxy : http://127.0.0.1:1/?a=b\n"
                                 "[save]\nname = ;x\n");
    assert_value(config, "http.user_agent", "a ; b = c # d : [e] \"f\"");
    assert_value(config, "http.header", "Cookie: x=1 ; y=2; z=#3");
    assert_value(config, "http.proxy", "http://127.0.0.1:1/?a=b");
    assert_value(config, "save.name", ";x");
    weir_config_free(config);
}

/* inih alone refuses lines over 200 characters. Random text, so that a shift would show. */
static void a_long_token_arrives_whole(void **state)
{
    (void)state;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ ;=#";
    static const size_t sizes[] = {150, 190, 196, 197, 198, 199, 200, 201, 400, 5000, 1000000};
    struct rng rng;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct strbuf value = {0}, text = {0};
        strbuf_adds(&value, "Authorization: Bearer x");
        while (value.n < sizes[i] - 1)
            strbuf_addc(&value, letters[rng_below(&rng, sizeof letters - 1)]);
        strbuf_addc(&value, 'y');
        strbuf_addf(&text, "[http]\nheader = %s\nproxy = p\n", strbuf_text(&value));
        weir_config *config = loaded(strbuf_text(&text));
        assert_value(config, "http.header", strbuf_text(&value));
        assert_value(config, "http.proxy", "p");
        assert_string_equal(weir_config_origin(config, "http.proxy"), "weir.ini:3");
        weir_config_free(config);
        strbuf_free(&value);
        strbuf_free(&text);
    }
}

/* inih alone cuts section names at 49 characters. */
static void a_host_section_may_have_a_long_name(void **state)
{
    (void)state;
    weir_config *config = loaded(
        "[host \"a-rather-long-name-of-a-host.in-a-department.of-some-institute.example.org\"]\n"
        "retry.retries = 7\n");
    assert_int_equal(
        config_for_host(
            config, "a-rather-long-name-of-a-host.in-a-department.of-some-institute.example.org")
            ->retry_retries,
        7);
    assert_int_equal(
        config_for_host(config, "a-rather-long-name-of-a-host.in-a-departme")->retry_retries, 5);
    weir_config_free(config);
}

static void host_sections_apply_to_their_hosts(void **state)
{
    (void)state;
    weir_config *config = loaded("[limits]\nhost_rate = 100/s\n"
                                 "[host \"data.example.org\"]\n"
                                 "limits.host_rate = 5/s\n"
                                 "http.header = X-A: 1\n"
                                 "http.header = X-B: 2\n"
                                 "[host *.example.org]\n"
                                 "limits.host_rate = 20/s\n"
                                 "limits.per_host = 2\n"
                                 "[host\t\"[::1]\"]\n"
                                 "retry.retries = 0\n"
                                 "[limits]\nper_host = 6\n");
    const struct options *o = config_for_host(config, "Data.Example.Org");
    assert_true(o->limits_host_rate > 4.9 && o->limits_host_rate < 5.1);
    assert_int_equal(o->limits_per_host, 2);
    assert_int_equal(o->http_header.n, 2);
    o = config_for_host(config, "www.example.org");
    assert_true(o->limits_host_rate > 19.9 && o->limits_host_rate < 20.1);
    assert_int_equal(o->http_header.n, 0);
    o = config_for_host(config, "example.org");
    assert_int_equal(o->limits_per_host, 6);
    assert_int_equal(config_for_host(config, "::1")->retry_retries, 0);
    assert_string_equal(weir_config_origin(config, "host data.example.org limits.per_host"),
                        "weir.ini:9");
    assert_string_equal(weir_config_host_at(config, 0), "*.example.org");
    assert_string_equal(weir_config_host_at(config, 1), "::1");
    assert_string_equal(weir_config_host_at(config, 2), "data.example.org");
    weir_config_free(config);
}

/* ---- levels ---- */

static void the_command_line_wins_whatever_came_first(void **state)
{
    (void)state;
    weir_config *config = new_config();
    write_text("weir.ini", "[run]\nworkers = 3\nconcurrency = 30\n");
    assert_int_equal(weir_config_set(config, "run.workers", "4", NULL), WEIR_OK);
    load(config, "weir.ini");
    assert_value(config, "run.workers", "4");
    assert_string_equal(weir_config_origin(config, "run.workers"), "command line");
    assert_value(config, "run.concurrency", "30");
    assert_int_equal(weir_config_set(config, "run.concurrency", "40", NULL), WEIR_OK);
    assert_value(config, "run.concurrency", "40");
    weir_config_free(config);
}

static void lists_add_within_a_level_and_replace_across(void **state)
{
    (void)state;
    weir_config *config =
        loaded("[http]\nheader = A: 1\nheader = B: 2\nuser_agent = x\nuser_agent = y\n");
    write_text("more.ini", "[http]\nheader = C: 3\n");
    load(config, "more.ini");
    assert_value(config, "http.header", "A: 1\nB: 2\nC: 3");
    assert_value(config, "http.user_agent", "y");
    assert_string_equal(weir_config_origin(config, "http.header"), "more.ini:2");
    assert_int_equal(weir_config_set(config, "http.header", "D: 4", NULL), WEIR_OK);
    assert_value(config, "http.header", "D: 4");
    assert_int_equal(weir_config_set(config, "http.header", "E: 5", NULL), WEIR_OK);
    assert_value(config, "http.header", "D: 4\nE: 5");
    load(config, "weir.ini");
    assert_value(config, "http.header", "D: 4\nE: 5");
    weir_config_free(config);
}

static void an_empty_list_value_clears_the_list(void **state)
{
    (void)state;
    weir_config *config =
        loaded("[http]\nheader = A: 1\nheader =\nheader = B: 2\nproxy = p\nproxy =\n");
    assert_value(config, "http.header", "B: 2");
    assert_null(config_options(config)->http_proxy);
    weir_config_free(config);
}

/* A value of a lower level that does not count is checked all the same. */
static void a_bad_value_is_refused_even_where_the_command_line_wins(void **state)
{
    (void)state;
    weir_config *config = new_config();
    weir_error err = {0};
    assert_int_equal(weir_config_set(config, "run.workers", "4", NULL), WEIR_OK);
    write_text("weir.ini", "[run]\nworkers = many\n");
    assert_int_equal(weir_config_load(config, "weir.ini", &err), WEIR_CONFIG);
    assert_string_equal(
        err.message,
        "weir.ini:2: run.workers: \"many\" is not a count; write a whole number, as in 16");
    weir_config_free(config);
}

/* ---- files of headers ---- */

static void headers_come_from_a_file(void **state)
{
    (void)state;
    write_text("headers.txt", "\xef\xbb\xbfX: 1\r\n\n  B: 2  \nAuthorization: Bearer abc\n");
    weir_config *config = loaded("[http]\nheader = Z: 0\nheader = @headers.txt\n");
    assert_value(config, "http.header", "Z: 0\nX: 1\nB: 2\nAuthorization: Bearer abc");
    assert_int_equal(weir_config_set(config, "host a.org http.header", "@headers.txt", NULL),
                     WEIR_OK);
    assert_int_equal(config_for_host(config, "a.org")->http_header.n, 3);
    weir_config_free(config);
}

static void a_bad_file_of_headers_names_file_and_line_and_adds_nothing(void **state)
{
    (void)state;
    weir_config *config = new_config();
    weir_error err = {0};
    write_text("headers.txt", "A: 1\nno colon here\n");
    assert_int_equal(weir_config_set(config, "http.header", "@headers.txt", &err), WEIR_CONFIG);
    assert_string_equal(err.message,
                        "http.header: headers.txt:2: \"no colon her...\" does not begin with a "
                        "header name and a colon; write \"Name: value\", or @FILE");
    assert_value(config, "http.header", "");
    write_bytes("headers.txt", "A: 1\nB: \0\n", 10);
    assert_int_equal(weir_config_set(config, "http.header", "@headers.txt", &err), WEIR_CONFIG);
    assert_string_equal(
        err.message,
        "http.header: headers.txt:2: the line holds a NUL byte; write the file as UTF-8 text");
    write_text("headers.txt", "A: 1\rB: 2\n");
    assert_int_equal(weir_config_set(config, "http.header", "@headers.txt", &err), WEIR_CONFIG);
    assert_int_equal(weir_config_set(config, "http.header", "@missing.txt", &err), WEIR_CONFIG);
    assert_string_equal(err.message,
                        "http.header: missing.txt: cannot be opened: No such file or directory");
    write_text("weir.ini", "[http]\nheader = @missing.txt\n");
    assert_int_equal(weir_config_load(config, "weir.ini", &err), WEIR_CONFIG);
    assert_string_equal(
        err.message,
        "weir.ini:2: http.header: missing.txt: cannot be opened: No such file or directory");
    weir_config_free(config);
}

/* ---- what is refused ---- */

static void bad_files_are_refused_with_place_and_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        {"\n[limits]\n\nrate = fast\n", "weir.ini:4: limits.rate: \"fast\" is not a rate; write a "
                                        "number with /s, /m or /h, as in 50/s"},
        {"[limits]\nrate = 50/s ; politely\n",
         "weir.ini:2: limits.rate: \"50/s ; politely\" is not a rate; write a number with /s, /m "
         "or /h, as in 50/s (a comment needs a line of its own)"},
        {"[limits]\nper_host = \n",
         "weir.ini:2: limits.per_host: \"\" is not a count; write a whole number, as in 16"},
        {"[limits]\nrat = 5/s\n",
         "weir.ini:2: limits.rat: unknown option; did you mean limits.rate?"},
        {"[run]\nrate = 5/s\n", "weir.ini:2: run.rate: unknown option; did you mean limits.rate?"},
        {"[run]\nlimits.rate = 5/s\n",
         "weir.ini:2: run.limits.rate: unknown option; `weir config` lists every option"},
        {"[limit]\n", "weir.ini:1: [limit]: unknown section; did you mean [limits]?"},
        {"[weather]\n",
         "weir.ini:1: [weather]: unknown section; there are [run] [limits] [retry] "
         "[http] [save] [put] [filter] [jsonl] [prefetch] [input] [journal] [report] [serve] "
         "[progress] and [host \"name\"]"},
        {"[]\n",
         "weir.ini:1: []: unknown section; there are [run] [limits] [retry] [http] [save] "
         "[put] [filter] [jsonl] [prefetch] [input] [journal] [report] [serve] [progress] and "
         "[host \"name\"]"},
        {"[limits\nrate = 5/s\n", "weir.ini:1: a section is written [name] or [host \"name\"]"},
        {"[limits] x\n", "weir.ini:1: a section is written [name] or [host \"name\"]"},
        {"[host \"a.org]\n", "weir.ini:1: a section is written [name] or [host \"name\"]"},
        {"rate = 5/s\n",
         "weir.ini:1: the line stands before the first [section]; put it under one"},
        {"[limits]\nrate 5/s\n",
         "weir.ini:2: the line is neither [section] nor key = value nor a comment"},
        {"[limits]\n= 5/s\n",
         "weir.ini:2: the line is neither [section] nor key = value nor a comment"},
        {"[limits]\nrate ;x = 5/s\n", "weir.ini:2: the key cannot be read"},
        {"[host]\n",
         "weir.ini:1: a host has a name of 1 to 253 characters, as in [host \"data.example.org\"]"},
        {"[host \"\"]\n",
         "weir.ini:1: a host has a name of 1 to 253 characters, as in [host \"data.example.org\"]"},
        {"\n[host \"a.org:8080\"]\n",
         "weir.ini:2: [host \"a.org:8080\"]: write the name without its port"},
        {"[host \"*\"]\n",
         "weir.ini:1: [host \"*\"]: a * may stand only in front of a name, as in *.example.org"},
        {"[host \"*.\"]\n",
         "weir.ini:1: [host \"*\"]: a * may stand only in front of a name, as in *.example.org"},
        {"[host \"a b\"]\n", "weir.ini:1: [host \"a b\"]: is not a host name; write it as in "
                             "data.example.org or *.example.org"},
        {"[host \"a.org\"]\nhost_rate = 5/s\n",
         "weir.ini:2: host_rate: unknown option; did you mean limits.host_rate?"},
        {"[host \"a.org\"]\nlimits.bandwidth = 5M\n",
         "weir.ini:2: limits.bandwidth: holds for the whole run and cannot be set for one host; "
         "put it under [limits]"},
        {"[host \"a.org\"]\nretry.retries = x\n",
         "weir.ini:2: [host \"a.org\"] retry.retries: \"x\" is not a count; write a whole number, "
         "as in 16"},
        {"[http]\nheader = X: a\x01\n",
         "weir.ini:2: http.header: \"X: a\\x01\" holds a line break or another control character; "
         "write \"Name: value\", or @FILE"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_bytes_refused(table[i].text, strlen(table[i].text), table[i].message);
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    static const char text[] = "[run]\nworkers = 1\0 2\n";
    assert_bytes_refused(text, sizeof text - 1,
                         "weir.ini:2: the line holds a NUL byte; write the file as UTF-8 text");
    assert_bytes_refused("\xff\xfe[\0r\0", 6,
                         "weir.ini:1: the line holds a NUL byte; write the file as UTF-8 text");
}

static void an_endless_line_is_refused(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_adds(&text, "[http]\nuser_agent = ");
    while (text.n < (1 << 20) + 100)
        strbuf_adds(&text, "0123456789");
    assert_bytes_refused(text.p, text.n, "weir.ini:2: the line is longer than 1048576 bytes");
    strbuf_free(&text);
}

static void a_missing_file_or_a_folder_is_refused(void **state)
{
    (void)state;
    weir_config *config = new_config();
    weir_error err = {0};
    assert_int_equal(weir_config_load(config, "missing.ini", &err), WEIR_CONFIG);
    assert_string_equal(err.message, "missing.ini: cannot be opened: No such file or directory");
    assert_int_equal(weir_config_load(config, ".", &err), WEIR_CONFIG);
    assert_string_equal(err.message, ".: cannot be read: Is a directory");
    weir_config_free(config);
}

/* The first trouble ends the reading; inih alone would go on. */
static void nothing_is_read_after_the_first_error(void **state)
{
    (void)state;
    weir_config *config = new_config();
    weir_error err = {0};
    write_text("weir.ini", "[run]\nworkers = 2\nworkers = x\nworkers = 3\nqueue = y\n");
    assert_int_equal(weir_config_load(config, "weir.ini", &err), WEIR_CONFIG);
    assert_non_null(strstr(err.message, "weir.ini:3: "));
    assert_value(config, "run.workers", "2");
    weir_config_free(config);
}

/* Whatever a file holds, it is read or refused in one line, and nothing breaks. */
static void random_bytes_never_break_the_reader(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[",
                                         "]",
                                         "\"",
                                         "host",
                                         "run",
                                         "http",
                                         "\n",
                                         "\n",
                                         "=",
                                         ":",
                                         ";",
                                         " ",
                                         "*.",
                                         ".org",
                                         "header",
                                         "retries",
                                         "limits.per_host",
                                         "5",
                                         "/s",
                                         "\r",
                                         "\t",
                                         "@",
                                         "\xef\xbb\xbf",
                                         "\x01"};
    struct rng rng;
    rng_seed(&rng, 3);
    for (int i = 0; i < 3000; i++) {
        struct strbuf text = {0};
        for (uint64_t n = rng_below(&rng, 60); n; n--)
            strbuf_adds(&text, pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)]);
        weir_config *config = new_config();
        weir_error err = {0};
        write_text("weir.ini", strbuf_text(&text));
        status st = weir_config_load(config, "weir.ini", &err);
        assert_true(st == WEIR_OK || (st == WEIR_CONFIG && strstr(err.message, "weir.ini")));
        assert_null(strchr(err.message, '\n'));
        weir_config_free(config);
        strbuf_free(&text);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(sections_keys_and_comments_are_read),
        IN_FOLDER(an_empty_file_changes_nothing),
        IN_FOLDER(line_ends_and_byte_order_mark_of_other_systems_are_taken),
        IN_FOLDER(an_indented_line_is_a_setting_of_its_own),
        IN_FOLDER(a_value_may_hold_semicolons_hashes_equal_signs_and_colons),
        IN_FOLDER(a_long_token_arrives_whole),
        IN_FOLDER(a_host_section_may_have_a_long_name),
        IN_FOLDER(host_sections_apply_to_their_hosts),
        IN_FOLDER(the_command_line_wins_whatever_came_first),
        IN_FOLDER(lists_add_within_a_level_and_replace_across),
        IN_FOLDER(an_empty_list_value_clears_the_list),
        IN_FOLDER(a_bad_value_is_refused_even_where_the_command_line_wins),
        IN_FOLDER(headers_come_from_a_file),
        IN_FOLDER(a_bad_file_of_headers_names_file_and_line_and_adds_nothing),
        IN_FOLDER(bad_files_are_refused_with_place_and_way_out),
        IN_FOLDER(a_nul_byte_is_refused),
        IN_FOLDER(an_endless_line_is_refused),
        IN_FOLDER(a_missing_file_or_a_folder_is_refused),
        IN_FOLDER(nothing_is_read_after_the_first_error),
        IN_FOLDER(random_bytes_never_break_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
