/* What the command shows: numbers, cut names, layouts, the time left. The files are pure, and are
 * included because the tests link the library, not the command.
 */
#include "cli/bar_layout.c"
#include "cli/display_text.c"
#include "cli/pace.c"
#include "cli/progress_plain.c"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int use_utf8(void **state)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    return 0;
}

static void numbers_are_written_with_units(void **state)
{
    static const struct {
        int64_t bytes;
        const char *want;
    } table[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 KiB"},
        {-5, "0 B"},
        {40999321, "39.1 MiB"},
        {1048575, "1.0 MiB"},
        {1LL << 40, "1.0 TiB"},
        {INT64_MAX, "8.0 EiB"},
    };
    char out[SHOW_MAX];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(show_bytes(out, table[i].bytes), table[i].want);
    assert_string_equal(show_count(out, 0), "0");
    assert_string_equal(show_count(out, 999), "999");
    assert_string_equal(show_count(out, 1204), "1,204");
    assert_string_equal(show_count(out, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(show_clock(out, 42), "0:42");
    assert_string_equal(show_clock(out, 3723), "1:02:03");
    assert_string_equal(show_clock(out, 864000), "10 days");
    assert_string_equal(show_duration(out, 1240), "1.2 s");
    assert_string_equal(show_duration(out, 184000), "3 min 4 s");
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {"plain é ファ", "plain é ファ"},
        {"a\x1b[2Jb\r\n", "a\\x1b[2Jb\\x0d\\x0a"},
        {"c1 \xc2\x9b"
         "31m",
         "c1 \\xc2\\x9b31m"},               /* CSI as one character */
        {"bad \xff\xc3", "bad \\xff\\xc3"}, /* no UTF-8 */
        {"rtl \xe2\x80\xae"
         "gpj",
         "rtl \\xe2\\x80\\xaegpj"}, /* U+202E turns the name around */
        {"\x7f", "\\x7f"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = text_in(out, sizeof out);
        text_add_printable(&t, table[i].text);
        assert_string_equal(out, table[i].want);
    }
}

static void text_is_cut_at_whole_characters(void **state)
{
    char small[6];
    struct text t = text_in(small, sizeof small);
    text_add(&t, "éééé");
    assert_string_equal(small, "éé");
    assert_int_equal(t.n, 4);
}

static void long_names_lose_their_middle_and_fit(void **state)
{
    static const char *const names[] = {
        "short",
        "dataset/part-00013-of-00040.parquet",
        "ファイル/データ-0-long-name-40.tar.gz",
        "e\xcc\x81"
        "e\xcc\x81"
        "e\xcc\x81"
        "e\xcc\x81"
        "e\xcc\x81"
        "e\xcc\x81",
        "",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int columns = 0; columns < 50; columns++) {
            char out[256];
            struct text t = text_in(out, sizeof out);
            int used = text_add_cut(&t, names[i], columns);
            assert_int_equal(used, text_columns(out));
            assert_true(used <= columns);
            if (text_columns(names[i]) <= columns)
                assert_string_equal(out, names[i]);
        }
    }
    char out[64];
    struct text t = text_in(out, sizeof out);
    text_add_cut(&t, "part-00013-of-00040.parquet", 16);
    assert_string_equal(out, "part-…40.parquet");
}

static void credentials_of_a_url_are_not_shown(void **state)
{
    static const struct {
        const char *url, *want;
    } table[] = {
        {"http://u:p@h/x", "http://h/x"}, {"http://u:p@q@h/x@y", "http://h/x@y"},
        {"http://h/x@y", "http://h/x@y"}, {"http://h?a@b", "http://h?a@b"},
        {"no url @", "no url @"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[64];
        struct text t = text_in(out, sizeof out);
        text_add_url(&t, table[i].url);
        assert_string_equal(out, table[i].want);
    }
}

static void shell_words_are_quoted_where_needed(void **state)
{
    static const struct {
        const char *word, *want;
    } table[] = {
        {"plain-1.tsv", "plain-1.tsv"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$(x)", "'$(x)'"},
        {"~", "'~'"},
        {"a\nb", "'a\nb'"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[64];
        struct text t = text_in(out, sizeof out);
        text_add_shell_word(&t, table[i].word);
        assert_string_equal(out, table[i].want);
    }
}

/* Columns of a line once its colours are left out. */
static int visible_columns(const char *line)
{
    char bare[4096];
    size_t n = 0;
    for (; *line; line++) {
        if (*line == '\x1b')
            while (*line != 'm')
                line++;
        else
            bare[n++] = *line;
    }
    bare[n] = '\0';
    return text_columns(bare);
}

static void no_line_ever_reaches_the_last_column(void **state)
{
    static const struct bar_row rows[] = {
        {"a", 0, -1, -1, false},
        {"ファイル/データ-0-long-name-40-and-still-longer-than-that-and-longer.tar.gz", 7 << 20,
         9 << 20, 1e12, false},
        {"x", INT64_MAX, INT64_MAX, 1e30, true},
    };
    for (int columns = 2; columns <= 300; columns++) {
        for (int look_index = 0; look_index < 4; look_index++) {
            struct bar_look look = {columns, look_index & 1, look_index & 2};
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                char out[2048];
                struct text t = text_in(out, sizeof out);
                bar_layout_row(&t, &rows[i], &look);
                assert_in_range(visible_columns(out), 0, columns - 1);
            }
            for (uint64_t scale = 0; scale < 3; scale++) {
                struct bar_whole whole = {.stats = {.found = 10000000 * scale,
                                                    .done = 9999999 * scale,
                                                    .failed = scale * 77777,
                                                    .waiting = (int)scale * 4000,
                                                    .bytes = (int64_t)(scale << 40),
                                                    .all_found = look_index & 1},
                                          .bps = 1e9 * (double)scale,
                                          .left_s = scale ? 100000 : -1};
                char out[2048];
                struct text t = text_in(out, sizeof out);
                bar_layout_whole(&t, &whole, &look);
                assert_in_range(visible_columns(out), 1, columns - 1);
            }
        }
    }
}

static void the_line_for_the_whole_drops_what_matters_least(void **state)
{
    static const struct {
        int columns;
        const char *want;
    } table[] = {
        {80, "1,204 of 10,000 files  12 failed  39.1 MiB  32.1 MiB/s  0:42 left  3 waiting"},
        {70, "1,204 of 10,000  12 failed  39.1 MiB  32.1 MiB/s  0:42 left"},
        {50, "1,204 of 10,000  12 failed  32.1 MiB/s  0:42 left"},
        {40, "1,204 of 10,000  12 failed  32.1 MiB/s"},
        {30, "1,204 of 10,000  12 failed"},
        {24, "1,204/10,000  12 bad"},
        {14, "1,204/10,000"},
    };
    struct bar_whole w = {.stats = {.found = 10000,
                                    .all_found = true,
                                    .done = 1200,
                                    .skipped = 4,
                                    .failed = 12,
                                    .bytes = 40999321,
                                    .waiting = 3},
                          .bps = 33659289,
                          .left_s = 42};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[512];
        struct text t = text_in(out, sizeof out);
        bar_layout_whole(&t, &w, &(struct bar_look){table[i].columns, true, false});
        assert_string_equal(out, table[i].want);
    }
    char out[512];
    struct text t = text_in(out, sizeof out);
    w.stats.all_found = false;
    w.stats.failed = 0;
    bar_layout_whole(&t, &w, &(struct bar_look){60, true, false});
    assert_non_null(strstr(out, "1,204 of 10,000+"));
}

static void the_bar_for_the_whole_goes_by_bytes_once_all_have_begun(void **state)
{
    struct bar_whole w = {
        .stats = {.found = 2, .all_found = true, .in_flight = 2, .bytes = 30, .bytes_known = 100},
        .left_s = -1};
    char out[512];
    struct text t = text_in(out, sizeof out);
    bar_layout_whole(&t, &w, &(struct bar_look){60, false, false});
    assert_non_null(strstr(out, "=========---------------------"));
    w.stats.found = 10; /* eight of which no size is known */
    t = text_in(out, sizeof out);
    bar_layout_whole(&t, &w, &(struct bar_look){60, false, false});
    assert_null(strchr(out, '='));
}

static void a_row_shows_name_share_bytes_and_speed(void **state)
{
    char out[512];
    struct text t = text_in(out, sizeof out);
    struct bar_row row = {"a.iso", 512 << 10, 1 << 20, 2048, false};
    bar_layout_row(&t, &row, &(struct bar_look){60, false, false});
    assert_string_equal(out, "a.iso               ====----  50%   512.0 KiB     2.0 KiB/s");
    t = text_in(out, sizeof out);
    row.size = -1;
    bar_layout_row(&t, &row, &(struct bar_look){20, false, false});
    assert_string_equal(out, "a.iso              ");
}

static void a_rate_is_right_from_the_start_and_forgets_slowly(void **state)
{
    struct pace p = {0};
    assert_true(pace_rate(&p) == 0);
    for (int64_t ms = 0; ms <= 400; ms += 200)
        pace_update(&p, ms, ms);
    assert_true(pace_rate(&p) > 999 && pace_rate(&p) < 1001);
    for (int64_t ms = 600; ms <= 5400; ms += 200)
        pace_update(&p, 400, ms);
    assert_true(pace_rate(&p) < 500 && pace_rate(&p) > 1);
    /* A retry from byte 0 is no negative speed. */
    double before = pace_rate(&p);
    pace_update(&p, 0, 5600);
    assert_true(pace_rate(&p) == before);
}

static void time_left_is_told_only_when_it_can_be_known(void **state)
{
    weir_stats s = {.found = 100,
                    .all_found = true,
                    .done = 40,
                    .in_flight = 10,
                    .elapsed_ms = 10000,
                    .bytes = 45000,
                    .bytes_known = 50000};
    /* 5,000 of those begun and 50 files of 1,000 each */
    assert_int_equal((int)left_estimate(&s, 1000, 4), 55);
    s.found = 10000; /* forty of ten thousand are no sample */
    assert_int_equal((int)left_estimate(&s, 1000, 4), -1);
    s.found = 100;
    s.bytes_known = 100; /* sizes are not announced: by files */
    assert_int_equal((int)left_estimate(&s, 1000, 4), 15);
    s.done = 3;
    assert_int_equal((int)left_estimate(&s, 1000, 4), -1);
    s.done = 100;
    s.in_flight = 0;
    assert_int_equal((int)left_estimate(&s, 0, 0), 0);
    s.done = 40;
    s.all_found = false;
    assert_int_equal((int)left_estimate(&s, 1000, 4), -1);
}

static void time_left_counts_down_and_follows_slowly(void **state)
{
    struct countdown c = {0};
    assert_int_equal(countdown_update(&c, 50, 0), 50);
    assert_int_equal(countdown_update(&c, 49, 1000), 49);
    int64_t shown = countdown_update(&c, 500, 1200);
    assert_in_range(shown, 49, 80);
    assert_int_equal(countdown_update(&c, -1, 1400), -1);
    assert_int_equal(countdown_update(&c, 20, 1600), 20);
}

static void json_lines_have_the_documented_fields(void **state)
{
    char out[512];
    struct text t = text_in(out, sizeof out);
    struct progress_sample s = {.stats = {.found = 3,
                                          .done = 1,
                                          .skipped = 1,
                                          .failed = 1,
                                          .retried = 2,
                                          .bytes = 99,
                                          .elapsed_ms = 1500,
                                          .all_found = true},
                                .bps = 66.4,
                                .left_s = -1};
    progress_json_line(&t, &s, true);
    assert_string_equal(out, "{\"elapsed_ms\":1500,\"found\":3,\"all_found\":true,\"done\":1,"
                             "\"skipped\":1,\"failed\":1,\"retried\":2,\"bytes\":99,"
                             "\"speed_bps\":66,\"in_flight\":0,\"waiting\":0,\"final\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_with_units),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(text_is_cut_at_whole_characters),
        cmocka_unit_test(long_names_lose_their_middle_and_fit),
        cmocka_unit_test(credentials_of_a_url_are_not_shown),
        cmocka_unit_test(shell_words_are_quoted_where_needed),
        cmocka_unit_test(no_line_ever_reaches_the_last_column),
        cmocka_unit_test(the_line_for_the_whole_drops_what_matters_least),
        cmocka_unit_test(the_bar_for_the_whole_goes_by_bytes_once_all_have_begun),
        cmocka_unit_test(a_row_shows_name_share_bytes_and_speed),
        cmocka_unit_test(a_rate_is_right_from_the_start_and_forgets_slowly),
        cmocka_unit_test(time_left_is_told_only_when_it_can_be_known),
        cmocka_unit_test(time_left_counts_down_and_follows_slowly),
        cmocka_unit_test(json_lines_have_the_documented_fields),
    };
    return cmocka_run_group_tests(tests, use_utf8, NULL);
}
