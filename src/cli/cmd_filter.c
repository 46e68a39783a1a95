/* weir filter: keeps the lines that match while the bodies stream. Main thread.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/pattern_list.h"
#include "cli/run_command.h"

/* Standard input can be one thing only. */
static bool reads_stdin_twice(const struct arguments *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->list_count; i++)
        n += names_stdin(a->lists[i]);
    for (size_t i = 0; i < a->filter.pattern_count; i++)
        n += a->filter.patterns[i].kind == PATTERN_FILE && names_stdin(a->filter.patterns[i].text);
    return n > 1;
}

static int check(struct command_run *run)
{
    const struct arguments *a = run->a;
    struct pattern_list *patterns = run->own;
    char message[USAGE_MAX];
    if (!a->filter.pattern_count)
        return usage_error(a->command,
                           "no pattern; give one with -e REGEX, -F STRING or -f FILE, as in weir "
                           "filter -e ERROR URL");
    if (reads_stdin_twice(a))
        return usage_error(a->command, "standard input cannot be read twice; put the patterns or "
                                       "the URLs into a file");
    weir_status st = output_target_choose_for_lines(&run->target, a, message);
    if (!st)
        st = pattern_list_load(patterns, &a->filter, message);
    if (st)
        return status_error(a->command, st, message);
    if (patterns->empty_line && !a->quiet)
        screen_say(run->screen, TONE_WARNING,
                   "%s: an empty line is a pattern that matches every "
                   "line",
                   patterns->empty_line);
    if (patterns->empty_file && !a->quiet)
        screen_say(run->screen, TONE_WARNING, "%s has no patterns in it%s", patterns->empty_file,
                   patterns->n ? "" : "; no line will match");
    return EXIT_ALL_WELL;
}

/* -C for what neither -A nor -B says. */
static uint64_t context_of(const struct filter_arguments *f, uint64_t own)
{
    if (own != NOT_GIVEN)
        return own;
    return f->context != NOT_GIVEN ? f->context : 0;
}

static int equip(struct command_run *run)
{
    const struct filter_arguments *f = &run->a->filter;
    const struct pattern_list *patterns = run->own;
    bool several = run->a->url_count > 1 || run->a->list_count;
    weir_filter filter = {
        .patterns = patterns->rows,
        .pattern_count = patterns->n,
        .ignore_case = f->ignore_case,
        .invert = f->invert,
        .count = f->count,
        .line_number = f->line_number,
        .only_matching = f->only_matching,
        .with_url = run->a->with_url || (f->count && several),
        .max_count = f->max_count != NOT_GIVEN ? f->max_count : 0,
        .before = context_of(f, f->before),
        .after = context_of(f, f->after),
    };
    weir_error err;
    weir_status st = weir_engine_filter(run->engine, &filter, &err);
    return st ? status_error(run->a->command, st, err.message) : run_write_lines(run);
}

static const struct run_type filter_type = {
    .check = check,
    .equip = equip,
    .on_stdout = "the lines",
    .no_work = "weir filter -e REGEX URL... keeps lines; -i LIST takes the URLs of a list",
};

int cmd_filter(const struct arguments *a)
{
    struct pattern_list patterns = {0};
    int code = run_command(a, &filter_type, &patterns);
    pattern_list_free(&patterns);
    return code;
}
