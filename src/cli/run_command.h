/* One run of a command that fetches: what get, filter and jsonl share. Main thread.
 */
#ifndef WEIR_CLI_RUN_COMMAND_H
#define WEIR_CLI_RUN_COMMAND_H

#include "cli/arguments.h"
#include "cli/event_messages.h"
#include "cli/output_target.h"
#include "cli/progress.h"
#include "cli/screen.h"
#include "cli/signals.h"

struct run_type;

struct command_run {
    const struct arguments *a;
    const struct run_type *type;
    void *own; /* the command's own */
    weir_config *config;
    weir_engine *engine;
    struct screen *screen;
    struct progress *progress;
    enum progress_style style;
    char *report_path;
    struct messages messages;
    struct signals signals;
    struct output_target target;
};

/* What a command adds. Both return an exit code and have said what is wrong unless it is 0. */
struct run_type {
    /* Before there is an engine: what the flags mean together; chooses run->target. */
    int (*check)(struct command_run *run);
    /* Tells the engine what to make of the bodies. NULL: nothing. */
    int (*equip)(struct command_run *run);
    /* Gives the engine the words of the command line. NULL: they are URLs to fetch. */
    int (*add_words)(struct command_run *run);
    const char *on_stdout; /* what goes there, for messages: "the bodies (-o)" */
    const char *no_work;   /* what to type where there is neither URL nor list */
};

/* Runs the command to its end; returns the exit code of the process. */
int run_command(const struct arguments *a, const struct run_type *type, void *own);

/* For `equip` of the commands that write lines: -o, --in-order, and with -v the name of what does
 * the work. */
int run_write_lines(struct command_run *run);

#endif
