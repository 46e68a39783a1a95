/* The command lines of filter and jsonl: what they mean, what is refused and with which words; the
 * files of patterns; what is typed to try the failed URLs again.
 */
#include "cli/arguments.c"
#include "cli/display_text.c"
#include "cli/flag_hints.c"
#include "cli/flag_table.c"
#include "cli/pattern_list.h"
#include "cli/settings.c"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

/* Each has statics of the same names. */
#define refuse refuse_pattern_list
#include "cli/pattern_list.c"
#undef refuse
#define refuse refuse_output_target
#include "cli/output_target.c"
#undef refuse
#include "cli/retry_command.c"

enum { WORDS = 14 };

static bool parse(struct arguments *a, const char *const words[WORDS], char message[USAGE_MAX])
{
    char *argv[WORDS + 1] = {(char *)"weir"};
    int argc = 1;
    for (int i = 0; i < WORDS && words[i]; i++)
        argv[argc++] = (char *)words[i];
    message[0] = '\0';
    return arguments_parse(a, argc, argv, message);
}

static void must_parse(struct arguments *a, const char *const words[WORDS])
{
    char message[USAGE_MAX];
    if (!parse(a, words, message))
        fail_msg("%s: %s", words[0], message);
}

#define URL "http://h/f"

static void fingers_trained_by_grep_and_jq_get_a_hint(void **state)
{
    static const struct {
        const char *words[WORDS];
        const char *want; /* part of the message */
    } table[] = {
        {{"filter", "-v", "-e", "x", URL}, "--invert"},
        {{"filter", "-nv", "-e", "x", URL}, "--verbose"},
        {{"filter", "-i", "-e", "x", URL}, "--ignore-case"},
        {{"filter", "-i", "error", URL}, "--ignore-case"},
        {{"filter", "-in", "-e", "x", URL}, "--ignore-case"},
        {{"filter", "-e", "x", "-i"}, "--ignore-case"},
        {{"filter", "-c", "-e", "x", URL}, "did you mean --count?"},
        {{"filter", "-e", "x", "-c", URL}, "did you mean --count?"},
        {{"filter", "-c", "no-such-file", URL}, "did you mean --count?"},
        {{"filter", "-o", "-e", "x", URL}, "did you mean --only-matching?"},
        {{"filter", "-e", "x", "-o", URL}, "did you mean --only-matching?"},
        {{"filter", "-H", "-e", "x", URL}, "did you mean --with-url?"},
        {{"filter", "-e", "x", "-H", URL}, "did you mean --with-url?"},
        {{"filter", "-s", "-e", "x", URL}, "leave out the -s of grep"},
        {{"filter", "-F", "-e", "x", URL}, "--literal=STRING"},
        {{"filter", "-r", "-e", "x", URL}, "-i LIST"},
        {{"filter", "-w", "-e", "x", URL}, "\\bWORD\\b"},
        {{"filter", "-x", "-e", "x", URL}, "^(?:REGEX)$"},
        {{"filter", "-l", "-e", "x", URL}, "-m 1 --with-url"},
        {{"filter", "-E", "x", URL}, "PCRE2"},
        {{"filter", "-P", "x", URL}, "PCRE2"},
        {{"filter", "-g", "*.log", URL}, "-i LIST"},
        {{"filter", "-S", "-e", "x", URL}, "--ignore-case"},
        {{"filter", "-3", "-e", "x", URL}, "-C N"},
        {{"filter", "--color=auto", "-e", "x", URL}, "leave it out"},
        {{"filter", "--word-regexp", "-e", "x", URL}, "\\bWORD\\b"},
        {{"filter", "--line-numbers", "-e", "x", URL}, "did you mean --line-number?"},
        {{"filter", "--jq", ".", URL}, "--jq belongs to weir jsonl"},
        {{"filter", "ERROR", URL}, "patterns are given with -e"},
        {{"filter", "ERROR", "-e", "x", URL}, "\"ERROR\" is not a URL; a URL begins"},
        {{"filter", "/dev/null", URL}, "is a file, not a URL"},
        {{"filter", "-e"}, "-e needs a value: -e REGEX"},
        {{"filter", "-m", "0", "-e", "x"}, "-m 0: write a number of lines, 1 or more"},
        {{"filter", "-A", "x", "-e", "x"}, "-A x: write a number of lines, 0 or more"},
        {{"filter", "-C", "-1"}, "-C -1: write a number"},
        {{"filter", "--context=1k"}, "--context 1k: write a number"},
        {{"filter", "-B", "99999999999999999999"}, "write a number"},
        {{"filter", "-f", ""}, "the file of patterns is empty"},
        {{"filter", "--bad-records", "fail"}, "--bad-records belongs to weir jsonl"},
        {{"jsonl", ".", URL}, "the program is given with --jq"},
        {{"jsonl", "select(.url == \"http://h/\")", URL}, "the program is given with --jq"},
        {{"jsonl", "--jq", ".", ".a", URL}, "\".a\" is not a URL; a URL begins"},
        {{"jsonl", "--jq", ".", "--jq", ".a"}, "given twice"},
        {{"jsonl", "-r", "--jq", ".", URL}, "--raw"},
        {{"jsonl", "-c", "--jq", ".", URL}, "leave out the -c of jq"},
        {{"jsonl", "-c", ".", URL}, "leave out the -c of jq"},
        {{"jsonl", "-s", ".", URL}, "leave out the -s of jq"},
        {{"jsonl", "-n", ".", URL}, "one record at a time"},
        {{"jsonl", "-e", ".", URL}, "--jq"},
        {{"jsonl", "-f", "x.jq", URL}, "$(cat FILE)"},
        {{"jsonl", "--arg", "a", "b"}, "into the program"},
        {{"jsonl", "--slurp", URL}, "one record at a time"},
        {{"jsonl", "-A", "3", URL}, "-A belongs to weir filter"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        char message[USAGE_MAX];
        if (parse(&a, table[i].words, message) || !strstr(message, table[i].want))
            fail_msg("%s %s %s: wanted \"%s\", got \"%s\"", table[i].words[0], table[i].words[1],
                     table[i].words[2] ? table[i].words[2] : "", table[i].want, message);
        arguments_free(&a);
    }
}

static void what_is_no_slip_is_taken(void **state)
{
    static const char *const table[][WORDS] = {
        {"filter", "-e", "-v", URL},
        {"filter", "-e", "", URL},
        {"filter", "-F", "--x", URL},
        {"filter", "--literal=-e", URL},
        {"filter", "-e", "x", "-i", "-"},
        {"filter", "-e", "x", "-i", "/dev/null"},
        {"filter", "-e", "x", "-i", URL},
        {"filter", "-c", "/dev/null", "-e", "x", URL},
        {"filter", "-e", "x", "-o", "-", URL},
        {"filter", "-e", "x", "-H", "A: 1", "-H", "@f", URL},
        {"filter", "-e", "x", "--verbose", URL},
        {"filter", "-e", "x", "--max-line", "2M", "--decode", "none", URL},
        {"jsonl", "--jq", "-.a", "-v", "-j", "3", URL},
        {"jsonl", "--jq", ".", "--bad-records", "f", "--max-line", "2M", URL},
        {"get", "--decode", "auto", URL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        must_parse(&a, table[i]);
        arguments_free(&a);
    }
}

static void flags_of_filter_mean_what_they_say(void **state)
{
    static const char *const words[WORDS] = {
        "filter", "-eA.*B",  "--fixed-strings=x y", "--regexp",       "b",   "-f", "file", "-nA3",
        "-C 2",   "--count", "--only-matching",     "--invert-match", "-m5", URL};
    struct arguments a;
    char message[USAGE_MAX];
    assert_false(parse(&a, words, message)); /* "-C 2" as one word has a blank in its number */
    arguments_free(&a);
    const char *right[WORDS];
    memcpy(right, words, sizeof right);
    right[8] = "-C2";
    must_parse(&a, right);
    static const struct pattern_argument want[] = {{PATTERN_REGEX, "A.*B"},
                                                   {PATTERN_LITERAL, "x y"},
                                                   {PATTERN_REGEX, "b"},
                                                   {PATTERN_FILE, "file"}};
    assert_int_equal(a.filter.pattern_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(a.filter.patterns[i].kind, want[i].kind);
        assert_string_equal(a.filter.patterns[i].text, want[i].text);
    }
    assert_true(a.filter.line_number && a.filter.count && a.filter.only_matching &&
                a.filter.invert);
    assert_false(a.filter.ignore_case || a.with_url || a.in_order);
    assert_int_equal(a.filter.after, 3);
    assert_int_equal(a.filter.context, 2);
    assert_true(a.filter.before == NOT_GIVEN);
    assert_int_equal(a.filter.max_count, 5);
    arguments_free(&a);
}

static void lines_go_where_the_command_line_says(void **state)
{
    static const struct {
        const char *words[WORDS];
        int fd;
        const char *file;
        const char *refused; /* part of the message, or NULL */
    } table[] = {
        {{"filter", "-e", "x", URL}, 1, NULL, NULL},
        {{"filter", "-e", "x", "-o", "-", URL}, 1, NULL, NULL},
        {{"filter", "-e", "x", "-o", "/dev/stdout", URL}, 1, NULL, NULL},
        {{"filter", "-e", "x", "-o", "f", URL, URL}, -1, "f", NULL},
        {{"filter", "-e", "x", "-d", "out", URL}, -1, NULL, NULL},
        {{"filter", "-e", "x", "-s", "save.dir=out", URL}, -1, NULL, NULL},
        {{"filter", "-e", "x", "-d", "out", "-o", "f"}, -1, NULL, "cannot be given together"},
        {{"filter", "-e", "x", "-d", "out", "-o", "-"}, -1, NULL, "cannot be given together"},
        {{"filter", "-e", "x", "-o", "/tmp"}, -1, NULL, "is a folder; use -d /tmp"},
        {{"filter", "-e", "x", "-o", "new/"}, -1, NULL, "is a folder; use -d new/"},
        {{"jsonl", "--jq", ".", "--tree"}, -1, NULL, "--tree is about the names of files"},
        {{"jsonl", "--jq", ".", "--tree", "-d", "out"}, -1, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        struct output_target t;
        char message[USAGE_MAX] = "";
        output_target_init(&t);
        must_parse(&a, table[i].words);
        weir_status st = output_target_choose_for_lines(&t, &a, message);
        if (table[i].refused) {
            if (st != WEIR_USAGE || !strstr(message, table[i].refused))
                fail_msg("row %zu: \"%s\"", i, message);
        } else {
            assert_int_equal(st, WEIR_OK);
            assert_int_equal(t.fd, table[i].fd);
            assert_int_equal(output_target_is_stream(&t), table[i].fd == 1 || table[i].file);
            if (table[i].file)
                assert_string_equal(t.file, table[i].file);
        }
        output_target_free(&t);
        arguments_free(&a);
    }
}

/* A file of its own with that text in it; the name is static. */
static const char *file_with(const char *text, size_t n)
{
    static char name[64];
    snprintf(name, sizeof name, "/tmp/weir-patterns-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    close(fd);
    return name;
}

static weir_status load(struct pattern_list *list, const char *file, char message[USAGE_MAX])
{
    struct pattern_argument rows[] = {
        {PATTERN_REGEX, "first"}, {PATTERN_FILE, file}, {PATTERN_LITERAL, "last"}};
    struct filter_arguments f = {.patterns = rows, .pattern_count = 3};
    message[0] = '\0';
    return pattern_list_load(list, &f, message);
}

static void a_file_has_one_pattern_a_line(void **state)
{
    static const char text[] = "a.c\r\nz\0z\n\n \nlast line";
    static const struct {
        const char *text;
        size_t n;
        const char *origin;
        bool literal;
    } want[] = {
        {"first", 0, "-e", false}, {"a.c", 3, ":1", false}, {"z\0z", 3, ":2", false},
        {"", 0, ":3", false},      {" ", 1, ":4", false},   {"last line", 9, ":5", false},
        {"last", 0, "-F", true},
    };
    const char *file = file_with(text, sizeof text - 1);
    struct pattern_list list;
    char message[USAGE_MAX], origin[128];
    assert_int_equal(load(&list, file, message), WEIR_OK);
    assert_int_equal(list.n, sizeof want / sizeof *want);
    for (size_t i = 0; i < list.n; i++) {
        bool of_file = want[i].origin[0] == ':';
        snprintf(origin, sizeof origin, "%s%s", of_file ? file : "", want[i].origin);
        assert_string_equal(list.rows[i].origin, origin);
        assert_int_equal(list.rows[i].size, want[i].n);
        assert_int_equal(list.rows[i].literal, want[i].literal);
        size_t n = want[i].n ? want[i].n : strlen(want[i].text) + 1;
        assert_memory_equal(list.rows[i].text, want[i].text, n);
    }
    snprintf(origin, sizeof origin, "%s:3", file);
    assert_string_equal(list.empty_line, origin);
    assert_null(list.empty_file);
    pattern_list_free(&list);
    unlink(file);
}

static void an_empty_file_has_no_pattern_and_is_told(void **state)
{
    const char *file = file_with("", 0);
    struct pattern_list list;
    char message[USAGE_MAX];
    assert_int_equal(load(&list, file, message), WEIR_OK);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.empty_file, file);
    assert_null(list.empty_line);
    pattern_list_free(&list);
    unlink(file);
}

static void a_file_that_cannot_be_patterns_is_refused(void **state)
{
    struct pattern_list list;
    char message[USAGE_MAX];
    assert_int_equal(load(&list, "/nowhere/patterns", message), WEIR_USAGE);
    assert_non_null(strstr(message, "-f /nowhere/patterns: cannot be opened"));
    pattern_list_free(&list);
    assert_int_equal(load(&list, "/tmp", message), WEIR_USAGE);
    assert_non_null(strstr(message, "cannot be read"));
    pattern_list_free(&list);
    assert_int_equal(load(&list, "/dev/zero", message), WEIR_USAGE);
    assert_non_null(strstr(message, "more than 16 MiB"));
    pattern_list_free(&list);
}

static void many_lines_are_all_kept(void **state)
{
    enum { LINES = 30000 };
    char *text = malloc(LINES * 8);
    size_t n = 0;
    assert_non_null(text);
    for (int i = 0; i < LINES; i++)
        n += (size_t)sprintf(text + n, "p%d\n", i);
    const char *file = file_with(text, n);
    struct pattern_list list;
    char message[USAGE_MAX], want[16];
    assert_int_equal(load(&list, file, message), WEIR_OK);
    assert_int_equal(list.n, LINES + 2);
    for (int i = 0; i < LINES; i++) {
        snprintf(want, sizeof want, "p%d", i);
        assert_string_equal(list.rows[i + 1].text, want);
    }
    pattern_list_free(&list);
    unlink(file);
    free(text);
}

static void the_retry_hint_repeats_what_was_asked_for(void **state)
{
    static const struct {
        const char *words[WORDS];
        const char *want;
        bool secrets;
    } table[] = {
        {{"get", "--failed", "f", "-d", "out", URL}, "weir get -i f -d out", false},
        {{"filter", "--failed", "f", "-e", "a b", "-F", "it's", "-f", "p", "--count", URL},
         "weir filter -i f -e 'a b' -F 'it'\\''s' -f p --count",
         false},
        {{"filter", "--failed", "f", "-e", "", "-nA3", "-m", "5", "--in-order", "-o", "-", URL},
         "weir filter -i f -e '' -n -m 5 -A 3 --in-order -o -",
         false},
        {{"filter", "--failed", "f", "-e", "x", "-o", "all.txt", URL},
         "weir filter -i f -e x -o all.txt.again",
         false},
        {{"filter", "--failed", "f", "-ex", "--user", "me:pw", "--max-line", "2M", URL},
         "weir filter -i f -e x --max-line 2M",
         true},
        {{"jsonl", "--failed", "f", "--jq", ".a | .b", "--raw", "-d", "out", URL},
         "weir jsonl -i f --jq '.a | .b' --raw -d out",
         false},
        {{"filter", "-e", "x", URL}, "", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        char message[USAGE_MAX], out[2048];
        weir_config *config = NULL;
        struct text t = text_in(out, sizeof out);
        bool secrets;
        must_parse(&a, table[i].words);
        assert_int_equal(settings_load(&config, &a, message), WEIR_OK);
        struct summary_setup setup = {.arguments = &a, .config = config};
        retry_command(&t, &setup, &secrets);
        assert_string_equal(out, table[i].want);
        assert_int_equal(secrets, table[i].secrets);
        weir_config_free(config);
        arguments_free(&a);
    }
}

static int use_utf8(void **state)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    return unsetenv("XDG_CONFIG_HOME") || unsetenv("HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingers_trained_by_grep_and_jq_get_a_hint),
        cmocka_unit_test(what_is_no_slip_is_taken),
        cmocka_unit_test(flags_of_filter_mean_what_they_say),
        cmocka_unit_test(lines_go_where_the_command_line_says),
        cmocka_unit_test(a_file_has_one_pattern_a_line),
        cmocka_unit_test(an_empty_file_has_no_pattern_and_is_told),
        cmocka_unit_test(a_file_that_cannot_be_patterns_is_refused),
        cmocka_unit_test(many_lines_are_all_kept),
        cmocka_unit_test(the_retry_hint_repeats_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, use_utf8, NULL);
}
