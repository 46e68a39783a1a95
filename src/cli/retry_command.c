/* The command that tries the failed URLs again. Main thread, after the run.
 *
 * It repeats what was asked for, but for where the records came from and what was told of them.
 */
#include "cli/retry_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/settings.h"

/* Flags that say where records come from and what is told of them: not for a second run. */
static bool belongs_to_first_run(const char *name)
{
    return strncmp(name, "input.", 6) == 0 || strncmp(name, "report.", 7) == 0 ||
           strncmp(name, "progress.", 9) == 0;
}

static void add_option_flag(struct text *out, const struct setting *s)
{
    text_add(out, " ");
    if (!s->option) {
        char word[1024];
        snprintf(word, sizeof word, "%s=%s", s->name, s->value);
        text_add(out, "-s ");
        text_add_shell_word(out, word);
        return;
    }
    if (s->option->letter)
        text_addf(out, "-%c", s->option->letter);
    else
        text_addf(out, "--%s", s->option->flag);
    if (s->option->arg) {
        text_add(out, " ");
        text_add_shell_word(out, s->value);
    }
}

static void add_number(struct text *out, char letter, uint64_t n)
{
    if (n != NOT_GIVEN)
        text_addf(out, " -%c %" PRIu64, letter, n);
}

/* A program or a pattern may begin with a dash or be empty: both are fine after their flags. */
static void add_word(struct text *out, const char *flag, const char *word)
{
    text_addf(out, " %s ", flag);
    text_add_shell_word(out, word);
}

static void add_filter(struct text *out, const struct arguments *a)
{
    static const char *const flags[] = {"-e", "-F", "-f"};
    const struct filter_arguments *f = &a->filter;
    const struct {
        bool set;
        const char *flag;
    } switches[] = {
        {f->ignore_case, "--ignore-case"},
        {f->invert, "--invert"},
        {f->count, "--count"},
        {f->line_number, "-n"},
        {f->only_matching, "--only-matching"},
    };
    for (size_t i = 0; i < f->pattern_count; i++)
        add_word(out, flags[f->patterns[i].kind], f->patterns[i].text);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (switches[i].set)
            text_addf(out, " %s", switches[i].flag);
    }
    add_number(out, 'm', f->max_count);
    add_number(out, 'A', f->after);
    add_number(out, 'B', f->before);
    add_number(out, 'C', f->context);
}

/* What the bodies are for. */
static void add_own_flags(struct text *out, const struct arguments *a)
{
    if (a->command == COMMAND_FILTER)
        add_filter(out, a);
    if (a->command == COMMAND_JSONL && a->jsonl.program)
        add_word(out, "--jq", a->jsonl.program);
    if (a->jsonl.raw)
        text_add(out, " --raw");
    if (a->with_url)
        text_add(out, " --with-url");
    if (a->in_order)
        text_add(out, " --in-order");
}

static void add_output(struct text *out, const struct arguments *a)
{
    char other[1024];
    if (!a->output)
        return;
    if (names_stdout(a->output)) {
        text_add(out, " -o -");
    } else if (a->command != COMMAND_GET) {
        /* The file has the results of all other URLs: it must not be replaced by those of these. */
        snprintf(other, sizeof other, "%s.again", a->output);
        add_word(out, "-o", other);
    }
}

void retry_command(struct text *out, const struct summary_setup *setup, bool *secrets)
{
    const struct arguments *a = setup->arguments;
    const char *failed = weir_config_get(setup->config, "report.failed");
    *secrets = false;
    if (!failed || !*failed || names_stdout(failed))
        return;
    text_addf(out, "weir %s -i ", command_name(a->command));
    text_add_shell_word(out, failed);
    add_own_flags(out, a);
    if (a->no_config)
        text_add(out, " --no-config");
    if (a->config_file)
        add_word(out, "-c", a->config_file);
    for (size_t i = 0; i < a->setting_count; i++) {
        const struct setting *s = &a->settings[i];
        if (belongs_to_first_run(s->name) || (setup->save_dir && !strcmp(s->name, "save.dir")))
            continue;
        if (setting_is_secret(s->name, s->value))
            *secrets = true;
        else
            add_option_flag(out, s);
    }
    if (setup->save_dir)
        add_word(out, "-d", setup->save_dir);
    add_output(out, a);
}
