/* Records through a program: what is a record, what goes out, and what becomes of bad ones. */
#include "stage_fixture.h"

#include "stage/bad_record.h"

static void use_program(struct stage_run *r, const char *text, bool raw)
{
    stage_tools_close(&r->tools);
    json_program_free(r->program);
    r->program = NULL;
    if (json_program_compile(&r->program, text, raw, &r->err))
        fail_msg("%s: %s", text, r->err.message);
    r->setup.program = r->program;
}

static void expect(struct stage_run *r, const char *body, const char *want)
{
    size_t n = strlen(body);
    for (size_t chunk = 0; chunk < 8; chunk++) {
        stage_run_body(r, &stage_jsonl, body, n, chunk);
        if (r->written || r->finished)
            fail_msg("%s", r->err.message);
        assert_int_equal(r->torn, 0);
        assert_string_equal(strbuf_text(&r->out), want);
    }
}

static void records_go_through_the_program(void **state)
{
    static const struct {
        const char *program, *body, *want;
        bool raw;
        uint64_t in, out;
    } rows[] = {
        {".", "{\"a\": 1}\n[1,  2]\n", "{\"a\": 1}\n[1,  2]\n", false, 2, 2},
        {".", "{\"a\":1}", "{\"a\":1}\n", false, 1, 1},
        {".a", "{\"a\":\"x\"}\n{\"a\":2}\n", "\"x\"\n2\n", false, 2, 2},
        {".a", "{\"a\":\"x\"}\n{\"a\":2}\n", "x\n2\n", true, 2, 2},
        {"select(.a > 1)", "{\"a\":1}\n{\"a\" :2}\n{\"a\": 3}\n{}\n{\"a\":4}",
         "{\"a\" :2}\n{\"a\": 3}\n{\"a\":4}\n", false, 5, 3},
        {".[]", "[1,2]\n[]\n[3]\n", "1\n2\n3\n", false, 3, 3},
        {"empty", "1\n2\n", "", false, 2, 0},
        /* blank lines are none, and a byte order mark is none of the first one */
        {".", "\n \t\r\n{}\n\n[]\r\n", "{}\n[]\n", false, 2, 2},
        {".", "\xef\xbb\xbf{}\n[]\n", "{}\n[]\n", false, 2, 2},
        {".", "\xef\xbb\xbf\n[]\n", "[]\n", false, 1, 1},
        {".", "", "", false, 0, 0},
    };
    struct stage_run r;
    stage_run_init(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        use_program(&r, rows[i].program, rows[i].raw);
        expect(&r, rows[i].body, rows[i].want);
        assert_int_equal(r.counts.lines_in, rows[i].in);
        assert_int_equal(r.counts.lines_out, rows[i].out);
        assert_int_equal(r.counts.bad_records, 0);
    }
    stage_run_free(&r);
}

static void only_the_first_line_has_a_byte_order_mark(void **state)
{
    static const char marked[] = "\xef\xbb\xbf{}\n";
    assert_int_equal(byte_order_mark((struct span){marked, sizeof marked - 1}), 3);
    assert_int_equal(byte_order_mark((struct span){marked, 2}), 0);
    assert_int_equal(byte_order_mark((struct span){"\xef\xbb\n", 3}), 0);
    /* The program sees the others as they are: some parsers take them, the record passes whole. */
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    stage_run_body(&r, &stage_jsonl, "1\n\xef\xbb\xbf 2\n", 8, 0);
    assert_memory_equal(strbuf_text(&r.out), "1\n", 2);
    assert_int_equal(r.counts.lines_in, 2);
    stage_run_free(&r);
}

static void record_stands_between_blanks(void **state)
{
    static const struct {
        const char *line, *record;
    } rows[] = {
        {"{}\n", "{}"}, {" \t[1, 2] \r\n", "[1, 2]"}, {"\n", ""}, {" \r\t\n", ""}, {"1", "1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span record = record_of_line(span_of(rows[i].line));
        assert_true(span_equal(record, rows[i].record));
    }
}

static void any_chunking_of_a_small_body_gives_the_same(void **state)
{
    static const char body[] = "\xef\xbb\xbf{}\n\r\n[1]\r\nx\n4";
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    for (unsigned long cuts = 0; cuts < 1UL << (sizeof body - 2); cuts++) {
        stage_run_cut(&r, &stage_jsonl, body, sizeof body - 1, cuts);
        assert_string_equal(strbuf_text(&r.out), "{}\n[1]\n4\n");
        assert_int_equal(r.counts.lines_in, 4);
        assert_int_equal(r.counts.bad_records, 1);
        assert_int_equal(r.torn, 0);
    }
    stage_run_free(&r);
}

static void url_stands_before_each_output(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    r.setup.filter.with_url = true;
    expect(&r, "{}\n[]\n", "http://a.example/x.log\t{}\nhttp://a.example/x.log\t[]\n");
    stage_run_free(&r);
}

static void bad_record_is_skipped_counted_and_told_with_its_line(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".a", false);
    expect(&r, "{\"a\":1}\n\nnot json\n{\"a\":2}\n7\n{\"a\":3", "1\n2\n");
    assert_int_equal(r.counts.lines_in, 5);
    assert_int_equal(r.counts.lines_out, 2);
    assert_int_equal(r.counts.bad_records, 3); /* 7 has no ".a", the last one is cut */
    assert_int_equal(r.counts.first_bad.status, WEIR_RECORD);
    assert_memory_equal(r.counts.first_bad.message, "line 3: ", 8);
    assert_null(strchr(r.counts.first_bad.message, '\n'));
    stage_run_free(&r);
}

static void bad_record_fails_the_file_where_that_is_asked_for(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    r.setup.bad_records = BAD_FAIL;
    for (size_t chunk = 0; chunk < 12; chunk++) {
        stage_run_body(&r, &stage_jsonl, "1\n2\nx\n4\n", 8, chunk);
        assert_int_equal(r.written, WEIR_RECORD);
        assert_int_equal(r.err.status, WEIR_RECORD);
        assert_memory_equal(r.err.message, "line 3: ", 8);
        assert_non_null(strstr(r.err.message, "jsonl.bad_records"));
        assert_string_equal(strbuf_text(&r.out), "1\n2\n"); /* wherever the chunks are cut */
    }
    stage_run_body(&r, &stage_jsonl, "1\nx", 3, 0);
    assert_int_equal(r.written, OK);
    assert_int_equal(r.finished, WEIR_RECORD);
    stage_run_free(&r);
}

static status keep_aside(void *ctx, struct span record, error *err)
{
    strbuf_add(ctx, record.p, record.n);
    return OK;
}

static status keep_none(void *ctx, struct span record, error *err)
{
    return (fail)(err, WEIR_DISK, "the disk is full");
}

static void bad_records_are_kept_aside_where_that_is_asked_for(void **state)
{
    struct stage_run r;
    struct strbuf aside = {0};
    stage_run_init(&r);
    use_program(&r, ".", false);
    r.setup.bad_records = BAD_FILE;
    r.setup.bad_record = keep_aside;
    r.setup.bad_ctx = &aside;
    stage_run_body(&r, &stage_jsonl, "x\r\n{}\n[1,\n1\ny", 13, 3);
    assert_int_equal(r.finished, OK);
    assert_string_equal(strbuf_text(&r.out), "{}\n1\n");
    assert_string_equal(strbuf_text(&aside), "x\r\n[1,\ny\n");
    strbuf_free(&aside);

    r.setup.bad_record = keep_none;
    stage_run_body(&r, &stage_jsonl, "1\nx\n", 4, 0);
    assert_int_equal(r.written, WEIR_DISK);
    assert_string_equal(r.err.message, "the disk is full");
    stage_run_free(&r);
}

static void long_record_is_skipped_and_counted(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    r.setup.max_line = 5;
    expect(&r, "[1]\n[1234]\n[123]\nx\n[12345]", "[1]\n[123]\n");
    assert_int_equal(r.counts.long_lines, 2);
    assert_int_equal(r.counts.lines_in, 5);
    assert_int_equal(r.counts.bad_records, 1);
    assert_memory_equal(r.counts.first_bad.message, "line 4: ", 8);
    stage_run_free(&r);
}

static void neighbours_that_pass_go_out_in_one_piece(void **state)
{
    struct stage_run r;
    struct strbuf body = {0};
    stage_run_init(&r);
    use_program(&r, "select(.n >= 0)", false);
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&body, "{ \"n\": %d }\n", i);
    stage_run_body(&r, &stage_jsonl, body.p, body.n, 0);
    assert_int_equal(r.out.n, body.n);
    assert_memory_equal(r.out.p, body.p, body.n);
    assert_in_range(r.emits, 1, 2);
    strbuf_free(&body);
    stage_run_free(&r);
}

static void reset_begins_with_line_one_again(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    use_program(&r, ".", false);
    struct chain *c = stage_run_open(&r, &stage_jsonl);
    assert_int_equal(stage_run_write(&r, c, "1\n2\n[", 5), OK);
    chain_reset(c);
    strbuf_clear(&r.out);
    assert_int_equal(stage_run_write(&r, c, "\xef\xbb\xbf{}\nx\n", 8), OK);
    assert_string_equal(strbuf_text(&r.out), "{}\n");
    assert_memory_equal(chain_file(c)->counts.first_bad.message, "line 2: ", 8);
    stage_run_close(&r, c);
    assert_int_equal(r.counts.lines_in, 2);
    stage_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_go_through_the_program),
        cmocka_unit_test(only_the_first_line_has_a_byte_order_mark),
        cmocka_unit_test(record_stands_between_blanks),
        cmocka_unit_test(any_chunking_of_a_small_body_gives_the_same),
        cmocka_unit_test(url_stands_before_each_output),
        cmocka_unit_test(bad_record_is_skipped_counted_and_told_with_its_line),
        cmocka_unit_test(bad_record_fails_the_file_where_that_is_asked_for),
        cmocka_unit_test(bad_records_are_kept_aside_where_that_is_asked_for),
        cmocka_unit_test(long_record_is_skipped_and_counted),
        cmocka_unit_test(neighbours_that_pass_go_out_in_one_piece),
        cmocka_unit_test(reset_begins_with_line_one_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
