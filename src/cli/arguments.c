/* The command line, as it was meant. Main thread.
 *
 * getopt_long is not used: the flags come from a table that the library owns, it would accept
 * abbreviations (which turn into errors when a flag is added), and its messages cannot say what
 * somebody used to another program should type here.
 *
 * The command is looked for first, because it decides what a letter means; flags may stand before
 * it.
 */
#include "cli/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/flag_hints.h"

bool names_stdout(const char *path)
{
    return path && (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0 ||
                    strcmp(path, "/dev/fd/1") == 0);
}

bool names_stdin(const char *path)
{
    return path && (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0 ||
                    strcmp(path, "/dev/fd/0") == 0);
}

const struct setting *arguments_setting(const struct arguments *a, const char *name)
{
    for (size_t i = a->setting_count; i > 0; i--) {
        if (strcmp(a->settings[i - 1].name, name) == 0)
            return &a->settings[i - 1];
    }
    return NULL;
}

struct parser {
    struct arguments *a;
    char **argv;
    int argc, next;
    int command_at;         /* index of the command's word, 0 = there is none */
    const char *stray_word; /* the first word that is no URL, to be judged when all is known */
    char *message;
};

weir_status usage_refuse(char message[USAGE_MAX], weir_status st, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, USAGE_MAX, format, args);
    va_end(args);
    return st;
}

static bool refuse(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->message, USAGE_MAX, format, args);
    va_end(args);
    return false;
}

static unsigned this_command(const struct parser *p)
{
    return 1U << p->a->command;
}

/* ---- which command ---- */

/* How many words the flag takes, itself included. No letter takes an argument in one command and
 * none in another. */
static int words_of_flag(const char *word)
{
    struct flag f;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        bool wants = flag_find(&f, FOR_ANY, word + 2, n, 0) && flag_argument(&f);
        return wants && word[2 + n] != '=' ? 2 : 1;
    }
    for (const char *c = word + 1; *c; c++) {
        if (flag_find(&f, FOR_ANY, NULL, 0, *c) && flag_argument(&f))
            return c[1] ? 1 : 2;
    }
    return 1;
}

static void find_command(struct parser *p)
{
    int i = 1;
    while (i < p->argc && p->argv[i][0] == '-' && p->argv[i][1] && strcmp(p->argv[i], "--") != 0)
        i += words_of_flag(p->argv[i]);
    if (i < p->argc && command_by_name(p->argv[i], &p->a->command)) {
        p->a->command_named = true;
        p->command_at = i;
    }
}

/* ---- flags ---- */

static bool add_setting(struct parser *p, const char *name, size_t n, const char *value,
                        const weir_option *option)
{
    struct setting *s = &p->a->settings[p->a->setting_count];
    *s = (struct setting){.name = strndup(name, n), .value = value, .option = option};
    if (!s->name)
        return refuse(p, "out of memory");
    p->a->setting_count++;
    return true;
}

static bool add_set(struct parser *p, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value)
        return refuse(p, "-s %s: write -s SECTION.KEY=VALUE, as in -s retry.backoff=2s", value);
    return add_setting(p, value, (size_t)(equals - value), equals + 1, NULL);
}

static bool add_pattern(struct arguments *a, enum pattern_kind kind, const char *text)
{
    struct filter_arguments *f = &a->filter;
    f->patterns[f->pattern_count++] = (struct pattern_argument){kind, text};
    return true;
}

static bool take_number(struct parser *p, uint64_t *out, uint64_t least, const char *value,
                        const char *shown)
{
    uint64_t n = 0;
    size_t digits = strspn(value, "0123456789");
    if (digits && !value[digits] && digits < 19)
        n = strtoull(value, NULL, 10);
    else
        digits = 0;
    if (!digits || n < least)
        return refuse(p, "%s %s: write a number of lines, %d or more", shown, value, (int)least);
    *out = n;
    return true;
}

static bool take_program(struct parser *p, const char *value)
{
    struct jsonl_arguments *j = &p->a->jsonl;
    if (j->program)
        return refuse(p,
                      "--jq is given twice; join the programs with a bar: --jq 'FIRST | SECOND'");
    j->program = value;
    return true;
}

/* The flags of filter and jsonl. */
static bool take_lines_flag(struct parser *p, enum own_id id, const char *value, const char *shown)
{
    struct filter_arguments *f = &p->a->filter;
    switch (id) {
    case OWN_MATCH:
        return add_pattern(p->a, PATTERN_REGEX, value);
    case OWN_LITERAL:
        return add_pattern(p->a, PATTERN_LITERAL, value);
    case OWN_PATTERN_FILE:
        if (!*value)
            return refuse(p, "%s: the name of the file of patterns is empty", shown);
        return add_pattern(p->a, PATTERN_FILE, value);
    case OWN_IGNORE_CASE:
        return f->ignore_case = true;
    case OWN_INVERT:
        return f->invert = true;
    case OWN_MAX_COUNT:
        return take_number(p, &f->max_count, 1, value, shown);
    case OWN_COUNT:
        return f->count = true;
    case OWN_LINE_NUMBER:
        return f->line_number = true;
    case OWN_ONLY_MATCHING:
        return f->only_matching = true;
    case OWN_AFTER:
        return take_number(p, &f->after, 0, value, shown);
    case OWN_BEFORE:
        return take_number(p, &f->before, 0, value, shown);
    case OWN_CONTEXT:
        return take_number(p, &f->context, 0, value, shown);
    case OWN_WITH_URL:
        return p->a->with_url = true;
    case OWN_IN_ORDER:
        return p->a->in_order = true;
    case OWN_JQ:
        return take_program(p, value);
    case OWN_RAW:
        return p->a->jsonl.raw = true;
    default:
        return refuse(p, "unknown flag %s", shown);
    }
}

/* What it holds is judged where the URL is added. */
static bool take_checksum(struct parser *p, const char *value)
{
    const char *sign = strchr(value, '=');
    if (!sign || sign == value)
        return refuse(p, "--checksum %s: write ALGO=HEX, such as sha256=9f86d081...", value);
    free(p->a->checksum);
    p->a->checksum = strndup(value, (size_t)(sign - value));
    p->a->checksum_hex = sign + 1;
    return p->a->checksum || refuse(p, "out of memory");
}

static bool take_own(struct parser *p, enum own_id id, const char *value, const char *shown)
{
    struct arguments *a = p->a;
    switch (id) {
    case OWN_INPUT:
        if (!value || !*value)
            return refuse(p, "-i: the name of the list is empty");
        a->lists[a->list_count++] = value;
        return true;
    case OWN_OUTPUT:
        if (!value || !*value)
            return refuse(p, "-o: the file name is empty");
        a->output = value;
        return true;
    case OWN_REPAIR:
        return a->repair = true;
    case OWN_CHECKSUM:
        return take_checksum(p, value);
    case OWN_ON_EXIST:
        return add_setting(p, "put.on_exist", strlen("put.on_exist"), value, NULL);
    case OWN_JSON:
        return a->journal.json = true;
    case OWN_CONFIG:
        a->config_file = value;
        return true;
    case OWN_NO_CONFIG:
        return a->no_config = true;
    case OWN_SET:
        return add_set(p, value);
    case OWN_DRY_RUN:
        return a->dry_run = true;
    case OWN_INI:
        return a->ini = true;
    case OWN_QUIET:
        return a->quiet = true;
    case OWN_VERBOSE:
        a->verbose++;
        return true;
    case OWN_HELP:
        return a->help = true;
    case OWN_VERSION:
        return a->version = true;
    default:
        return take_lines_flag(p, id, value, shown);
    }
}

static bool take_option(struct parser *p, const weir_option *o, const char *value)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", o->section, o->key);
    return add_setting(p, name, strlen(name),
                       value           ? value
                       : o->flag_value ? o->flag_value
                                       : "yes",
                       o);
}

/* `shown` is the flag as typed, for messages. */
static bool take_flag(struct parser *p, const struct flag *f, const char *value, const char *shown)
{
    const char *arg = flag_argument(f);
    bool letter = shown[1] != '-';
    if (!arg && value)
        return refuse(p, "%s takes no value; leave out \"=%s\"", shown, value);
    if (arg && !value) {
        if (p->next >= p->argc) {
            const char *meant = letter ? flag_other_meaning(p->a->command, shown[1]) : NULL;
            return refuse(p, "%s needs a value: %s %s%s%s", shown, shown, arg, meant ? "; " : "",
                          meant ? meant : "");
        }
        value = p->argv[p->next++];
    }
    if (arg && letter) {
        const char *hint = flag_value_hint(p->a->command, shown[1], value);
        /* A header may be a secret that has lost its name. */
        bool hide = shown[1] == 'H';
        if (hint)
            return refuse(p, "%s%s%s: %s", shown, hide ? "" : " ", hide ? "" : value, hint);
    }
    return f->own ? take_own(p, f->own->id, value, shown) : take_option(p, f->option, value);
}

/* `word` as typed, `shown` the flag of it; not one of this command. */
static bool refuse_flag(struct parser *p, const char *word, const char *shown, const char *name,
                        size_t n, char letter)
{
    struct flag f;
    const char *hint = flag_hint(p->a->command, name ? word : shown);
    if (hint)
        return refuse(p, "%s: %s", shown, hint);
    if (p->a->command == COMMAND_FILTER && letter >= '0' && letter <= '9')
        return refuse(p, "%s: use -C N for N lines of context", word);
    if (flag_find(&f, FOR_ANY, name, n, letter)) {
        enum command owner = COMMAND_GET;
        while (!(flag_commands(&f) & (1U << owner)))
            owner++;
        return refuse(p, "%s belongs to weir %s; try: weir %s --help", shown, command_name(owner),
                      command_name(owner));
    }
    const char *nearest = name ? flag_nearest(p->a->command, name, n) : NULL;
    if (nearest)
        return refuse(p, "unknown flag %s; did you mean --%s?", shown, nearest);
    bool alone = name || strcmp(shown, word) == 0;
    return refuse(p, "unknown flag %s%s%s", shown, alone ? "" : " in ", alone ? "" : word);
}

static bool parse_long(struct parser *p, const char *word)
{
    const char *name = word + 2;
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    char shown[128];
    snprintf(shown, sizeof shown, "--%.*s", (int)(n < 100 ? n : 100), name);
    struct flag f;
    if (flag_find(&f, this_command(p), name, n, 0))
        return take_flag(p, &f, value, shown);
    return refuse_flag(p, word, shown, name, n, 0);
}

static bool parse_letters(struct parser *p, const char *word)
{
    const char *hint = strlen(word) > 2 ? flag_hint(p->a->command, word) : NULL;
    if (hint)
        return refuse(p, "%s: %s", word, hint);
    for (const char *c = word + 1; *c; c++) {
        const char shown[3] = {'-', *c, '\0'};
        struct flag f;
        if (!flag_find(&f, this_command(p), NULL, 0, *c))
            return refuse_flag(p, word, shown, NULL, 0, *c);
        if (flag_argument(&f))
            return take_flag(p, &f, c[1] ? c + 1 : NULL, shown);
        if (!take_flag(p, &f, NULL, shown))
            return false;
    }
    return true;
}

/* ---- words ---- */

static bool refuse_stray_word(struct parser *p)
{
    const struct arguments *a = p->a;
    const char *word = p->stray_word;
    enum command late;
    const char *hint = word_hint(a, word);
    if (hint)
        return refuse(p, "\"%s\" is not a URL; %s", word, hint);
    if (access(word, F_OK) == 0)
        return refuse(p, "\"%s\" is a file, not a URL; to read URLs from it, type -i %s", word,
                      word);
    if (!a->command_named && a->url_count && command_by_name(word, &late))
        return refuse(p, "the command \"%s\" comes before the URLs: weir %s URL...", word, word);
    if (a->command_named || strpbrk(word, "./"))
        return refuse(p, "\"%s\" is not a URL; a URL begins with http:// or https://", word);
    return refuse(p,
                  "\"%s\" is neither a command nor a URL; commands: " COMMAND_NAMES "; a URL "
                  "begins with http:// or https://",
                  word);
}

/* A jq program may hold a URL, too. */
static bool has_scheme(const char *word)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789+.-";
    return strncmp(word + strspn(word, allowed), "://", 3) == 0;
}

static bool parse_word(struct parser *p, const char *word)
{
    struct arguments *a = p->a;
    enum command topic;
    if (a->command == COMMAND_HELP && !a->topic) {
        if (!command_by_name(word, &topic))
            return refuse(p, "no help for \"%s\"; commands: " COMMAND_NAMES, word);
        a->topic = word;
        return true;
    }
    if (a->command == COMMAND_JOURNAL && !a->journal.file) {
        a->journal.file = word;
        return true;
    }
    if (a->command == COMMAND_SERVE && !a->serve.dir) {
        a->serve.dir = word;
        return true;
    }
    if (a->command == COMMAND_HELP || a->command == COMMAND_CONFIG ||
        a->command == COMMAND_JOURNAL || a->command == COMMAND_SERVE)
        return refuse(p, "\"%s\" is one word too many here", word);
    if (a->command == COMMAND_PUT && !has_scheme(word)) {
        a->put.files[a->put.file_count++] = word;
        return true;
    }
    if (has_scheme(word))
        a->urls[a->url_count++] = word;
    else if (!p->stray_word)
        p->stray_word = word;
    return true;
}

static bool parse_all(struct parser *p)
{
    bool flags_end = false;
    find_command(p);
    while (p->next < p->argc) {
        bool fine = true;
        int at = p->next++;
        const char *word = p->argv[at];
        if (at == p->command_at)
            continue;
        bool is_stdin = p->a->command == COMMAND_PUT && strcmp(word, "-") == 0;
        if (flags_end || word[0] != '-' || is_stdin)
            fine = parse_word(p, word);
        else if (strcmp(word, "--") == 0)
            flags_end = true;
        else if (word[1] == '\0')
            fine = refuse(p, "\"-\" is not a URL; to read URLs from standard input, type -i -");
        else
            fine = word[1] == '-' ? parse_long(p, word) : parse_letters(p, word);
        if (!fine)
            return false;
    }
    return p->stray_word ? refuse_stray_word(p) : true;
}

bool arguments_parse(struct arguments *out, int argc, char **argv, char message[USAGE_MAX])
{
    *out = (struct arguments){
        .command = COMMAND_GET,
        .filter = {
            .max_count = NOT_GIVEN, .after = NOT_GIVEN, .before = NOT_GIVEN, .context = NOT_GIVEN}};
    struct parser p = {.a = out, .argv = argv, .argc = argc, .next = 1, .message = message};
    size_t room = (size_t)argc + 1;
    out->urls = calloc(room, sizeof *out->urls);
    out->lists = calloc(room, sizeof *out->lists);
    out->put.files = calloc(room, sizeof *out->put.files);
    out->filter.patterns = calloc(room, sizeof *out->filter.patterns);
    /* A cluster of letters sets more than one option. */
    size_t letters = 0;
    for (int i = 1; i < argc; i++)
        letters += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
    out->settings = calloc(letters + 1, sizeof *out->settings);
    if (!out->urls || !out->lists || !out->settings || !out->filter.patterns || !out->put.files)
        return refuse(&p, "out of memory");
    return parse_all(&p);
}

void arguments_free(struct arguments *a)
{
    for (size_t i = 0; i < a->setting_count; i++)
        free(a->settings[i].name);
    free(a->settings);
    free(a->checksum);
    free(a->urls);
    free(a->lists);
    free(a->put.files);
    free(a->filter.patterns);
    *a = (struct arguments){0};
}
