/* The command line: what it means, what is refused and with which words; and that the man page and
 * the completions know every flag.
 */
#include "cli/arguments.c"
#include "cli/display_text.c"
#include "cli/flag_hints.c"
#include "cli/flag_table.c"
#include "cli/settings.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WORDS = 12 };

static bool parse(struct arguments *a, const char *const words[WORDS], char message[USAGE_MAX])
{
    char *argv[WORDS + 1] = {(char *)"weir"};
    int argc = 1;
    for (int i = 0; i < WORDS && words[i]; i++)
        argv[argc++] = (char *)words[i];
    message[0] = '\0';
    return arguments_parse(a, argc, argv, message);
}

static void wrong_command_lines_are_refused_with_a_way_out(void **state)
{
    static const struct {
        const char *words[WORDS];
        const char *want; /* part of the message */
    } table[] = {
        {{"--concurency", "3"}, "did you mean --concurrency?"},
        {{"--rep", "x"}, "did you mean --report?"},
        {{"--xyzzy"}, "unknown flag --xyzzy"},
        {{"-y"}, "unknown flag -y"},
        {{"-qy"}, "unknown flag -y in -qy"},
        {{"-j"}, "-j needs a value: -j N"},
        {{"--dir"}, "--dir needs a value: --dir DIR"},
        {{"--tree=yes"}, "--tree takes no value"},
        {{"-s", "retry.backoff"}, "write -s SECTION.KEY=VALUE"},
        {{"-O", "http://h/"}, "-o NAME"},
        {{"-P", "x"}, "use -d DIR"},
        {{"-nc"}, "--on-exist skip"},
        {{"-N"}, "--on-exist"},
        {{"-x16"}, "-j N"},
        {{"-C", "-"}, "always resumes"},
        {{"-c", "http://h/f"}, "leave out the -c of wget"},
        {{"-sSL", "http://h/"}, "redirects followed"},
        {{"--continue=1"}, "always resumes"},
        {{"--input-file=x"}, "use -i FILE"},
        {{"--split", "4"}, "--segments"},
        {{"fetch"}, "commands: " COMMAND_NAMES},
        {{"http://h/", "filter"}, "comes before the URLs: weir filter"},
        {{"example.org/x"}, "a URL begins with http:// or https://"},
        {{"get", "get"}, "\"get\" is not a URL"},
        {{"-"}, "type -i -"},
        {{"/dev/null"}, "type -i /dev/null"},
        {{"config", "http://h/"}, "one word too many"},
        {{"help", "fetch"}, "no help for \"fetch\""},
        {{"-e", "x", "http://h/"}, "-e belongs to weir filter"},
        {{"get", "--only-matching", "http://h/"}, "--only-matching belongs to weir filter"},
        {{"get", "--jq", ".", "http://h/"}, "--jq belongs to weir jsonl"},
        {{"get", "--bad-records", "fail"}, "--bad-records belongs to weir jsonl"},
        {{"get", "--json"}, "--json belongs to weir journal"},
        {{"journal", "a.db", "b.db"}, "one word too many"},
        {{"journal", "a.db", "-j", "3"}, "-j belongs to weir get"},
        {{"get", "--ini"}, "--ini belongs to weir config"},
        {{"get", "-f", "http://h/"}, "never saves an error page"},
        {{"get", "-A", "me", "http://h/"}, "--user-agent"},
        {{"serve", "--port", "80", "."}, "--listen"},
        {{"serve", "-d", "."}, "weir serve DIR"},
        {{"-o", ""}, "empty"},
        {{"-i", ""}, "empty"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        char message[USAGE_MAX];
        if (parse(&a, table[i].words, message) || !strstr(message, table[i].want))
            fail_msg("%s: wanted \"%s\", got \"%s\"", table[i].words[0], table[i].want, message);
        arguments_free(&a);
    }
}

/* The command that a hint has spoken of before it comes to `flag`; else those that it is for. */
static unsigned commands_of(const struct hint *hint, const char *flag)
{
    const char *other = strstr(hint->means, "weir ");
    char name[16] = "";
    enum command command;
    if (other && other < flag && sscanf(other, "weir %15[a-z]", name) == 1 &&
        command_by_name(name, &command))
        return 1U << command;
    return hint->commands;
}

/* The next of its flags that begins with two dashes. */
static const char *next_flag(const char *text, size_t *n)
{
    const char *flag = strstr(text, "--");
    if (!flag)
        return NULL;
    *n = strspn(flag + 2, "abcdefghijklmnopqrstuvwxyz-");
    return flag + 2;
}

static void assert_flag_of(const struct hint *hint, const char *flag, size_t n)
{
    unsigned commands = commands_of(hint, flag);
    for (enum command c = 0; c < COMMAND_CONFIG; c++) {
        struct flag found;
        if (commands & 1U << c && !flag_find(&found, 1U << c, flag, n, 0))
            fail_msg("%s: \"%s\": weir %s has no such flag", hint->flag, hint->means,
                     command_name(c));
    }
}

static void hints_name_flags_that_exist(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        size_t n = 0;
        for (const char *f = next_flag(hints[i].means, &n); f; f = next_flag(f + n, &n))
            assert_flag_of(&hints[i], f, n);
    }
}

static void flags_and_urls_mix_in_any_order(void **state)
{
    static const char *const words[WORDS] = {"http://a/", "-j4",        "-qv", "http://b/",
                                             "--dir=out", "--insecure", "-H",  "A: 1",
                                             "-H",        "B: 2",       "-i-", "-sx.y=z=1"};
    struct arguments a;
    char message[USAGE_MAX];
    assert_true(parse(&a, words, message));
    assert_int_equal(a.url_count, 2);
    assert_string_equal(a.urls[1], "http://b/");
    assert_int_equal(a.list_count, 1);
    assert_string_equal(a.lists[0], "-");
    assert_true(a.quiet && a.verbose == 1);
    static const char *const want[][2] = {{"run.concurrency", "4"},  {"save.dir", "out"},
                                          {"http.verify_tls", "no"}, {"http.header", "A: 1"},
                                          {"http.header", "B: 2"},   {"x.y", "z=1"}};
    assert_int_equal(a.setting_count, sizeof want / sizeof *want);
    for (size_t i = 0; i < a.setting_count; i++) {
        assert_string_equal(a.settings[i].name, want[i][0]);
        assert_string_equal(a.settings[i].value, want[i][1]);
    }
    arguments_free(&a);
}

static void commands_are_known_by_the_first_word(void **state)
{
    static const struct {
        const char *words[WORDS];
        enum command want;
        size_t urls;
    } table[] = {
        {{"http://a/"}, COMMAND_GET, 1},
        {{"get", "http://a/"}, COMMAND_GET, 1},
        {{"-q", "config"}, COMMAND_CONFIG, 0},
        {{"config", "-j", "3"}, COMMAND_CONFIG, 0},
        {{"help", "get"}, COMMAND_HELP, 0},
        {{"filter", "-e", "x", "http://a/"}, COMMAND_FILTER, 1},
        {{"-e", "config", "filter", "http://a/"}, COMMAND_FILTER, 1},
        {{"-j4", "-qd", "out", "jsonl", "--jq", ".", "http://a/"}, COMMAND_JSONL, 1},
        {{"--jq", "get", "jsonl", "http://a/"}, COMMAND_JSONL, 1},
        {{"--dir=get", "http://a/", "http://b/"}, COMMAND_GET, 2},
        {{"--", "http://a/", "http://b/"}, COMMAND_GET, 2},
        {{"-d", "get", "http://a/"}, COMMAND_GET, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arguments a;
        char message[USAGE_MAX];
        if (!parse(&a, table[i].words, message))
            fail_msg("%s", message);
        assert_int_equal(a.command, table[i].want);
        assert_int_equal(a.url_count, table[i].urls);
        arguments_free(&a);
    }
}

static void after_two_dashes_nothing_is_a_flag(void **state)
{
    static const char *const words[WORDS] = {"--", "-q"};
    struct arguments a;
    char message[USAGE_MAX];
    assert_false(parse(&a, words, message));
    assert_non_null(strstr(message, "\"-q\""));
    assert_false(a.quiet);
    arguments_free(&a);
}

static void secrets_are_known_by_name_and_value(void **state)
{
    static const struct {
        const char *name, *value;
        bool want;
    } table[] = {
        {"http.user", "a:b", true},
        {"http.user", "", false},
        {"host *.example.org http.user", "a:b", true},
        {"http.header", "Authorization: Bearer x", true},
        {"http.header", "X-Api-Key: x", true},
        {"http.header", "cookie: x", true},
        {"http.header", "Accept: text/plain", false},
        {"http.header", "Accept: token", false},
        {"http.header", "@auth.txt", false},
        {"http.proxy", "http://u:p@h:1", true},
        {"http.proxy", "http://h:1", false},
        {"save.dir", "a@b", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (setting_is_secret(table[i].name, table[i].value) != table[i].want)
            fail_msg("%s = %s", table[i].name, table[i].value);
    }
}

static void times_are_read_as_the_configuration_writes_them(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } table[] = {{"200ms", 200}, {"5s", 5000}, {"1.5s", 1500}, {"2m", 120000}, {"1h", 3600000},
                 {"0", 0},       {"", 0},      {"x", 0},       {"5", 0},       {"-1s", 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(setting_time_ms(table[i].text), table[i].want);
}

static char *read_whole(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/src/cli/%s", WEIR_SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: %s", path, "cannot be opened");
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 18) - 1, f);
    fclose(f);
    assert_true(n > 0);
    return text;
}

/* `flag` as a word of its own: not as the beginning of a longer flag. */
static bool names_flag(const char *text, const char *before, const char *flag)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "%s%s", before, flag);
    size_t n = strlen(wanted);
    for (const char *at = strstr(text, wanted); at; at = strstr(at + 1, wanted)) {
        char next = at[n];
        if (!((next >= 'a' && next <= 'z') || next == '-' || next == '\\'))
            return true;
    }
    return false;
}

/* roff writes a dash of a flag as \-. */
static void roff_flag(char out[128], const char *flag)
{
    size_t n = 0;
    for (; *flag && n < 120; flag++) {
        if (*flag == '-')
            out[n++] = '\\';
        out[n++] = *flag;
    }
    out[n] = '\0';
}

static void check_flag(const char *flag, const char *man, const char *bash, const char *zsh,
                       const char *fish)
{
    char roff[128];
    roff_flag(roff, flag);
    if (!names_flag(man, "\\-\\-", roff))
        fail_msg("weir.1 does not name --%s", flag);
    if (!names_flag(bash, "--", flag))
        fail_msg("completions/weir.bash does not name --%s", flag);
    if (!names_flag(zsh, "--", flag))
        fail_msg("completions/_weir does not name --%s", flag);
    if (!names_flag(fish, "-l ", flag))
        fail_msg("completions/weir.fish does not name --%s", flag);
}

static void man_page_and_completions_name_every_flag(void **state)
{
    char *man = read_whole("weir.1"), *bash = read_whole("completions/weir.bash");
    char *zsh = read_whole("completions/_weir"), *fish = read_whole("completions/weir.fish");
    for (size_t i = 0; own_flag_at(i); i++)
        check_flag(own_flag_at(i)->flag, man, bash, zsh, fish);
    for (size_t i = 0; weir_option_at(i); i++) {
        if (weir_option_at(i)->flag)
            check_flag(weir_option_at(i)->flag, man, bash, zsh, fish);
    }
    free(man);
    free(bash);
    free(zsh);
    free(fish);
}

static void no_flag_or_letter_means_two_things(void **state)
{
    for (size_t i = 0; own_flag_at(i); i++) {
        for (size_t j = 0; weir_option_at(j); j++) {
            const struct own_flag *own = own_flag_at(i);
            const weir_option *o = weir_option_at(j);
            if (!(own->commands & option_commands(o)))
                continue; /* in no command do they meet */
            assert_false(o->flag && strcmp(o->flag, own->flag) == 0);
            assert_false(o->alias && strcmp(o->alias, own->flag) == 0);
            assert_false(o->flag && own->alias && strcmp(o->flag, own->alias) == 0);
            assert_false(o->letter && o->letter == own->letter);
        }
    }
}

/* A command is found before its flags are read, by which words are values. */
static void a_letter_takes_a_value_in_all_commands_or_in_none(void **state)
{
    for (size_t i = 0; own_flag_at(i); i++) {
        for (size_t j = 0; own_flag_at(j); j++) {
            const struct own_flag *a = own_flag_at(i), *b = own_flag_at(j);
            if (a->letter && a->letter == b->letter && !a->arg != !b->arg)
                fail_msg("-%c", a->letter);
            if (strcmp(a->flag, b->flag) == 0 && !a->arg != !b->arg)
                fail_msg("--%s", a->flag);
            /* and means one thing within a command */
            if (a != b && a->commands & b->commands && a->letter && a->letter == b->letter)
                fail_msg("-%c stands for two flags", a->letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_command_lines_are_refused_with_a_way_out),
        cmocka_unit_test(hints_name_flags_that_exist),
        cmocka_unit_test(flags_and_urls_mix_in_any_order),
        cmocka_unit_test(commands_are_known_by_the_first_word),
        cmocka_unit_test(after_two_dashes_nothing_is_a_flag),
        cmocka_unit_test(secrets_are_known_by_name_and_value),
        cmocka_unit_test(times_are_read_as_the_configuration_writes_them),
        cmocka_unit_test(man_page_and_completions_name_every_flag),
        cmocka_unit_test(no_flag_or_letter_means_two_things),
        cmocka_unit_test(a_letter_takes_a_value_in_all_commands_or_in_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
