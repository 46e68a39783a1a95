/* What is said when a run has ended: the files are included because the tests link the library, not
 * the command.
 */
#include "cli/arguments.c"
#include "cli/bar_layout.c"
#include "cli/display_text.c"
#include "cli/flag_hints.c"
#include "cli/flag_table.c"
#include "cli/retry_command.c"
#include "cli/screen.c"
#include "cli/settings.c"
#include "cli/summary.c"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* How a run ended, and what it was. */
struct ended {
    struct arguments a;
    weir_summary summary;
    bool brief, starts_over, no_names;
    const char *set[2]; /* an option and its value */
};

/* What is said of it. */
static void said(char *out, size_t cap, const struct ended *e)
{
    char name[] = "/tmp/weir-summary-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    struct screen *screen = screen_new(fd);
    weir_config *config = NULL;
    assert_non_null(screen);
    assert_int_equal(weir_config_new(&config, NULL), WEIR_OK);
    if (e->set[0])
        assert_int_equal(weir_config_set(config, e->set[0], e->set[1], NULL), WEIR_OK);
    struct messages messages = {.no_names = e->no_names};
    struct summary_setup setup = {.arguments = &e->a,
                                  .config = config,
                                  .messages = &messages,
                                  .starts_over = e->starts_over,
                                  .brief = e->brief};
    summary_print(screen, &e->summary, &setup);
    ssize_t n = pread(fd, out, cap - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    weir_config_free(config);
    screen_free(screen);
    close(fd);
}

#define STATS                                                                                      \
    .done = 8, .found = 8, .all_found = true, .bytes = 1 << 20, .elapsed_ms = 2000,                \
    .lines_in = 7100000, .lines_out = 212

static void lines_and_records_are_counted(void **state)
{
    static const struct {
        struct ended run;
        const char *want;
    } table[] = {
        {{.a.command = COMMAND_GET, .summary.stats = {STATS}},
         "8 files, 1.0 MiB in 2.0 s (512.0 KiB/s)\n"},
        {{.a.command = COMMAND_FILTER, .summary.stats = {STATS}},
         "8 files, 1.0 MiB in 2.0 s (512.0 KiB/s); 7,100,000 lines in, 212 kept\n"},
        {{.a.command = COMMAND_JSONL, .summary.stats = {STATS}},
         "8 files, 1.0 MiB in 2.0 s (512.0 KiB/s); 7,100,000 records in, 212 put out\n"},
        /* what was written of cut files is not in the counts */
        {{.a.command = COMMAND_FILTER, .summary = {.stats = {STATS}, .stopped_by = WEIR_CANCELLED}},
         "8 files, 1.0 MiB in 2.0 s (512.0 KiB/s)\n"
         "interrupted: 8 done, 0 left; the same command goes on\n"},
        {{.a.command = COMMAND_FILTER, .summary.stats = {.done = 1, .lines_in = 1}},
         "1 file, 0 B in 0.00 s; 1 line in, 0 kept\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[4096];
        said(out, sizeof out, &table[i].run);
        assert_string_equal(out, table[i].want);
    }
}

static void what_was_left_out_is_said_unless_quiet(void **state)
{
    static const weir_stats long_one = {.long_lines = 1}, long_lines = {.long_lines = 3},
                            bad = {.bad_records = 12};
    static const struct {
        struct ended run;
        const char *want; /* all that is said, with brief */
    } table[] = {
        {{.a.command = COMMAND_FILTER, .brief = true, .summary.stats = long_lines},
         "3 lines were longer than filter.max_line (1Mi) and skipped\n"},
        {{.a.command = COMMAND_FILTER,
          .brief = true,
          .summary.stats = long_one,
          .set = {"filter.max_line", "64"}},
         "1 line was longer than filter.max_line (64) and skipped\n"},
        {{.a.command = COMMAND_JSONL, .brief = true, .summary.stats = bad},
         "12 bad records skipped; --bad-records FILE keeps them\n"},
        {{.a.command = COMMAND_JSONL,
          .brief = true,
          .summary.stats = bad,
          .set = {"jsonl.bad_records", "bad.txt"}},
         "12 bad records in bad.txt\n"},
        {{.a.command = COMMAND_JSONL,
          .brief = true,
          .summary.stats = bad,
          .set = {"jsonl.bad_records", "fail"}},
         ""},
        {{.a = {.command = COMMAND_FILTER, .quiet = true},
          .brief = true,
          .summary.stats = long_lines},
         ""},
        {{.a.command = COMMAND_FILTER, .summary = {.stats = long_lines, .reader_gone = true}}, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[4096];
        said(out, sizeof out, &table[i].run);
        assert_string_equal(out, table[i].want);
    }
}

static void an_interrupted_stream_begins_anew(void **state)
{
    struct ended e = {.a.command = COMMAND_FILTER,
                      .brief = true,
                      .summary = {.stats = {.found = 8, .done = 3, .all_found = true},
                                  .stopped_by = WEIR_CANCELLED}};
    char out[4096];
    said(out, sizeof out, &e);
    assert_string_equal(out, "interrupted: 3 done, 5 left; the same command goes on\n");
    e.starts_over = true;
    said(out, sizeof out, &e);
    assert_string_equal(out, "interrupted: 3 done, 5 left; the same command begins anew\n");
    e.summary.stopped_by = WEIR_DISK;
    said(out, sizeof out, &e);
    assert_string_equal(out, "stopped: 3 done, 5 left; once the disk can be written the same "
                             "command begins anew\n");
}

static void a_dry_run_counts_names_or_urls(void **state)
{
    struct ended e = {.a = {.command = COMMAND_FILTER, .dry_run = true},
                      .summary.stats = {.found = 3, .skipped = 3, .duplicates = 1}};
    char out[4096];
    said(out, sizeof out, &e);
    assert_string_equal(out, "dry run: 2 names, 1 duplicate; nothing was fetched\n");
    e.no_names = true;
    said(out, sizeof out, &e);
    assert_string_equal(out, "dry run: 2 URLs, 1 duplicate; nothing was fetched\n");
}

static void failed_urls_are_tried_again_with_the_same_patterns(void **state)
{
    struct pattern_argument patterns[] = {{PATTERN_REGEX, "a b"}, {PATTERN_REGEX, NULL}};
    struct ended e = {.a = {.command = COMMAND_FILTER,
                            .filter = {.patterns = patterns,
                                       .pattern_count = 1,
                                       .max_count = NOT_GIVEN,
                                       .after = NOT_GIVEN,
                                       .before = NOT_GIVEN,
                                       .context = NOT_GIVEN}},
                      .brief = true,
                      .summary = {.stats.failed = 1, .failed_by_class[WEIR_DNS] = 1},
                      .set = {"report.failed", "again.tsv"}};
    char out[8192], huge[3000];
    said(out, sizeof out, &e);
    assert_string_equal(out,
                        "1 failed: 1 dns\ntry them again: weir filter -i again.tsv -e 'a b'\n");
    /* A command that does not fit is not shown cut. */
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    patterns[1].text = huge;
    e.a.filter.pattern_count = 2;
    said(out, sizeof out, &e);
    assert_string_equal(out, "1 failed: 1 dns\ntry them again: the same command with -i again.tsv "
                             "in place of its URLs and lists\n");
}

static int use_utf8(void **state)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_records_are_counted),
        cmocka_unit_test(what_was_left_out_is_said_unless_quiet),
        cmocka_unit_test(an_interrupted_stream_begins_anew),
        cmocka_unit_test(a_dry_run_counts_names_or_urls),
        cmocka_unit_test(failed_urls_are_tried_again_with_the_same_patterns),
    };
    return cmocka_run_group_tests(tests, use_utf8, NULL);
}
