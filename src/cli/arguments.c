/* The command line, as it was meant. Main thread.
 *
 * getopt_long is not used: the flags come from a table that the library owns, it would accept
 * abbreviations (which turn into errors when a flag is added), and its messages cannot say what
 * somebody used to another program should type here.
 */
#include "cli/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/flag_hints.h"

static const struct own_flag own_flags[] = {
    {OWN_INPUT, "input", 'i', "FILE", "Input",
     "read URLs from a list (a file, a URL, or - for standard input); repeatable"},
    {OWN_OUTPUT, "output", 'o', "NAME", "Where files go",
     "file name for one URL; - writes all bodies to standard output in list order"},
    {OWN_DRY_RUN, "dry-run", 0, NULL, "General",
     "read the lists and print which name each URL would get; fetch nothing"},
    {OWN_CONFIG, "config", 'c', "FILE", "General",
     "read this INI file instead of $XDG_CONFIG_HOME/weir/weir.ini"},
    {OWN_NO_CONFIG, "no-config", 0, NULL, "General", "read no INI file"},
    {OWN_SET, "set", 's', "SECTION.KEY=VALUE", "General", "set any option; weir config lists them"},
    {OWN_QUIET, "quiet", 'q', NULL, "General", "print errors only"},
    {OWN_VERBOSE, "verbose", 'v', NULL, "General", "print retries, held hosts and every error"},
    {OWN_INI, "ini", 0, NULL, "weir config", "print the values in force as an INI file"},
    {OWN_HELP, "help", 'h', NULL, "General", "print this text"},
    {OWN_VERSION, "version", 0, NULL, "General", "print the versions of weir and its libraries"},
};

const struct own_flag *own_flag_at(size_t i)
{
    return i < sizeof own_flags / sizeof *own_flags ? &own_flags[i] : NULL;
}

bool names_stdout(const char *path)
{
    return path && (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0 ||
                    strcmp(path, "/dev/fd/1") == 0);
}

/* A flag of either table. */
struct flag {
    const struct own_flag *own;
    const weir_option *option;
};

struct parser {
    struct arguments *a;
    char **argv;
    int argc, next;
    char *message;
};

static bool refuse(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->message, USAGE_MAX, format, args);
    va_end(args);
    return false;
}

static bool long_is(const char *flag, const char *name, size_t n)
{
    return flag && strlen(flag) == n && memcmp(flag, name, n) == 0;
}

static bool find_flag(struct flag *out, const char *name, size_t n, char letter)
{
    *out = (struct flag){0};
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (name ? long_is(own->flag, name, n) : own->letter && own->letter == letter) {
            out->own = own;
            return true;
        }
    }
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        if (name ? long_is(o->flag, name, n) || long_is(o->alias, name, n)
                 : o->letter && o->letter == letter) {
            out->option = o;
            return true;
        }
    }
    return false;
}

static const char *flag_argument(const struct flag *f)
{
    return f->own ? f->own->arg : f->option->arg;
}

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

static bool take_own(struct parser *p, enum own_id id, const char *value)
{
    struct arguments *a = p->a;
    switch (id) {
    case OWN_INPUT:
        if (!*value)
            return refuse(p, "-i: the name of the list is empty");
        a->lists[a->list_count++] = value;
        break;
    case OWN_OUTPUT:
        if (!*value)
            return refuse(p, "-o: the file name is empty");
        a->output = value;
        break;
    case OWN_CONFIG:
        if (strstr(value, "://"))
            return refuse(p,
                          "-c %s: -c takes a configuration file here; weir always resumes, "
                          "so leave out the -c of wget",
                          value);
        a->config_file = value;
        break;
    case OWN_NO_CONFIG:
        a->no_config = true;
        break;
    case OWN_SET:
        return add_set(p, value);
    case OWN_DRY_RUN:
        a->dry_run = true;
        break;
    case OWN_INI:
        a->ini = true;
        break;
    case OWN_QUIET:
        a->quiet = true;
        break;
    case OWN_VERBOSE:
        a->verbose++;
        break;
    case OWN_HELP:
        a->help = true;
        break;
    case OWN_VERSION:
        a->version = true;
        break;
    }
    return true;
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
    if (!arg && value)
        return refuse(p, "%s takes no value; leave out \"=%s\"", shown, value);
    if (arg && !value) {
        if (p->next >= p->argc)
            return refuse(p, "%s needs a value: %s %s", shown, shown, arg);
        value = p->argv[p->next++];
    }
    return f->own ? take_own(p, f->own->id, value) : take_option(p, f->option, value);
}

static bool parse_long(struct parser *p, const char *word)
{
    const char *name = word + 2;
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    char shown[128];
    snprintf(shown, sizeof shown, "--%.*s", (int)(n < 100 ? n : 100), name);
    struct flag f;
    if (find_flag(&f, name, n, 0))
        return take_flag(p, &f, value, shown);
    const char *hint = flag_hint(word);
    if (hint)
        return refuse(p, "%s: %s", shown, hint);
    const char *nearest = flag_nearest(name, n);
    if (nearest)
        return refuse(p, "unknown flag %s; did you mean --%s?", shown, nearest);
    return refuse(p, "unknown flag %s", shown);
}

static bool parse_letters(struct parser *p, const char *word)
{
    const char *hint = strlen(word) > 2 ? flag_hint(word) : NULL;
    if (hint)
        return refuse(p, "%s: %s", word, hint);
    for (const char *c = word + 1; *c; c++) {
        const char shown[3] = {'-', *c, '\0'};
        struct flag f;
        if (!find_flag(&f, NULL, 0, *c)) {
            hint = flag_hint(shown);
            if (hint)
                return refuse(p, "%s: %s", shown, hint);
            return refuse(p, "unknown flag %s%s%s", shown, strcmp(shown, word) ? " in " : "",
                          strcmp(shown, word) ? word : "");
        }
        if (flag_argument(&f))
            return take_flag(p, &f, c[1] ? c + 1 : NULL, shown);
        if (!take_flag(p, &f, NULL, shown))
            return false;
    }
    return true;
}

static bool refuse_word(struct parser *p, const char *word)
{
    if (access(word, F_OK) == 0)
        return refuse(p, "\"%s\" is a file, not a URL; to read URLs from it, type -i %s", word,
                      word);
    if (p->a->command_named || strpbrk(word, "./"))
        return refuse(p, "\"%s\" is not a URL; a URL begins with http:// or https://", word);
    return refuse(p,
                  "\"%s\" is neither a command nor a URL; commands: get, config, help; a URL "
                  "begins with http:// or https://",
                  word);
}

static bool parse_word(struct parser *p, const char *word)
{
    struct arguments *a = p->a;
    static const char *const commands[] = {"get", "config", "help"};
    for (int i = 0; i < 3 && !a->command_named && !a->url_count; i++) {
        if (strcmp(word, commands[i]) == 0) {
            a->command = (enum command)i;
            a->command_named = true;
            return true;
        }
    }
    if (a->command == COMMAND_HELP && !a->topic) {
        if (strcmp(word, "get") && strcmp(word, "config") && strcmp(word, "help"))
            return refuse(p, "no help for \"%s\"; commands: get, config, help", word);
        a->topic = word;
        return true;
    }
    if (a->command != COMMAND_GET)
        return refuse(p, "\"%s\" is one word too many here", word);
    if (!strstr(word, "://"))
        return refuse_word(p, word);
    a->urls[a->url_count++] = word;
    return true;
}

bool arguments_parse(struct arguments *out, int argc, char **argv, char message[USAGE_MAX])
{
    *out = (struct arguments){.command = COMMAND_GET};
    struct parser p = {.a = out, .argv = argv, .argc = argc, .next = 1, .message = message};
    size_t room = (size_t)argc + 1;
    out->urls = calloc(room, sizeof *out->urls);
    out->lists = calloc(room, sizeof *out->lists);
    /* A cluster of letters sets more than one option. */
    size_t letters = 0;
    for (int i = 1; i < argc; i++)
        letters += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
    out->settings = calloc(letters + 1, sizeof *out->settings);
    if (!out->urls || !out->lists || !out->settings)
        return refuse(&p, "out of memory");
    bool flags_end = false;
    while (p.next < p.argc) {
        const char *word = argv[p.next++];
        bool fine;
        if (flags_end || word[0] != '-')
            fine = parse_word(&p, word);
        else if (strcmp(word, "--") == 0)
            fine = flags_end = true;
        else if (word[1] == '\0')
            fine = refuse(&p, "\"-\" is not a URL; to read URLs from standard input, type -i -");
        else
            fine = word[1] == '-' ? parse_long(&p, word) : parse_letters(&p, word);
        if (!fine)
            return false;
    }
    return true;
}

void arguments_free(struct arguments *a)
{
    for (size_t i = 0; i < a->setting_count; i++)
        free(a->settings[i].name);
    free(a->settings);
    free(a->urls);
    free(a->lists);
    *a = (struct arguments){0};
}
