/* Lines and records given to callbacks, while every byte passes on. */
#include "stage_fixture.h"

/* What the callbacks heard: "1<text> ". */
struct heard {
    struct strbuf text;
    const char *stop_at; /* a line or record for which `answer` is given */
    weir_next answer;
    weir_file *file;
};

static weir_next hear(struct heard *h, weir_file *file, uint64_t number, const char *p, size_t n)
{
    h->file = file;
    strbuf_addf(&h->text, "%llu<", (unsigned long long)number);
    strbuf_add(&h->text, p, n);
    strbuf_adds(&h->text, "> ");
    return h->stop_at && span_equal((struct span){p, n}, h->stop_at) ? h->answer : WEIR_NEXT;
}

static weir_next on_line(weir_file *file, const char *line, size_t n, uint64_t number, void *user)
{
    return hear(user, file, number, line, n);
}

static weir_next on_record(weir_file *file, const weir_record *record, void *user)
{
    size_t n;
    const char *text = weir_record_text(record, &n);
    return hear(user, file, weir_record_line(record), text, n);
}

static void start(struct stage_run *r, struct heard *h, const weir_stage_type *type)
{
    stage_run_init(r);
    *h = (struct heard){0};
    if (type == &stage_lines)
        r->callbacks.on_line = on_line;
    else
        r->callbacks.on_record = on_record;
    r->context.user = h;
    r->context.file = (weir_file *)(void *)h; /* any pointer */
}

static void end(struct stage_run *r, struct heard *h)
{
    strbuf_free(&h->text);
    stage_run_free(r);
}

static void any_chunking_gives_the_same_lines_and_all_bytes_pass(void **state)
{
    static const char body[] = "a\r\n\n\0b\nlonger\nxy";
    struct stage_run r;
    struct heard h;
    start(&r, &h, &stage_lines);
    r.setup.max_line = 5;
    for (unsigned long cuts = 0; cuts < 1UL << (sizeof body - 2); cuts += 1 + cuts % 3) {
        strbuf_clear(&h.text);
        stage_run_cut(&r, &stage_lines, body, sizeof body - 1, cuts);
        assert_int_equal(h.text.n, sizeof "1<a\r> 2<> 3<\0b> 5<xy> " - 1);
        assert_memory_equal(h.text.p, "1<a\r> 2<> 3<\0b> 5<xy> ", h.text.n);
        assert_int_equal(r.out.n, sizeof body - 1);
        assert_memory_equal(r.out.p, body, sizeof body - 1);
        assert_int_equal(r.counts.lines_in, 5);
        assert_int_equal(r.counts.lines_out, 4);
        assert_int_equal(r.counts.long_lines, 1);
        assert_int_equal(r.finished, OK);
        assert_ptr_equal(h.file, &h);
    }
    end(&r, &h);
}

static void any_chunking_gives_the_same_records_and_all_bytes_pass(void **state)
{
    static const char body[] = "\xef\xbb\xbf{}\n \r\nx\n[1]\r\n2";
    struct stage_run r;
    struct heard h;
    start(&r, &h, &stage_records);
    for (unsigned long cuts = 0; cuts < 1UL << (sizeof body - 2); cuts += 1 + cuts % 3) {
        strbuf_clear(&h.text);
        stage_run_cut(&r, &stage_records, body, sizeof body - 1, cuts);
        assert_string_equal(strbuf_text(&h.text), "1<{}> 4<[1]> 5<2> ");
        assert_int_equal(r.out.n, sizeof body - 1);
        assert_memory_equal(r.out.p, body, sizeof body - 1);
        assert_int_equal(r.counts.lines_in, 4);
        assert_int_equal(r.counts.lines_out, 3);
        assert_int_equal(r.counts.bad_records, 1);
        assert_memory_equal(r.counts.first_bad.message, "line 3: ", 8);
    }
    end(&r, &h);
}

static void answers_do_what_they_say(void **state)
{
    static const struct {
        weir_next answer;
        status written;
        const char *lines;
        size_t passed;
    } rows[] = {
        {WEIR_NEXT, OK, "1<1> 2<2> 3<3> 4<4> ", 8},
        {WEIR_ENOUGH, OK, "1<1> 2<2> ", 8}, /* the sink may want the rest */
        {WEIR_STOP_FILE, WEIR_CANCELLED, "1<1> 2<2> ", 0},
        {WEIR_STOP_RUN, WEIR_CANCELLED, "1<1> 2<2> ", 0},
    };
    const weir_stage_type *types[] = {&stage_lines, &stage_records};
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct stage_run r;
            struct heard h;
            start(&r, &h, types[t]);
            h.stop_at = "2";
            h.answer = rows[i].answer;
            for (size_t chunk = 0; chunk < 8; chunk++) {
                strbuf_clear(&h.text);
                stage_run_body(&r, types[t], "1\n2\n3\n4\n", 8, chunk);
                assert_int_equal(r.written, rows[i].written);
                assert_int_equal(r.err.status, rows[i].written);
                assert_int_equal(r.wish, rows[i].answer);
                assert_string_equal(strbuf_text(&h.text), rows[i].lines);
                if (!rows[i].written || !chunk)
                    assert_int_equal(r.out.n, rows[i].passed);
            }
            end(&r, &h);
        }
    }
}

static void last_line_may_have_enough_too(void **state)
{
    struct stage_run r;
    struct heard h;
    start(&r, &h, &stage_lines);
    h.stop_at = "2";
    h.answer = WEIR_ENOUGH;
    stage_run_body(&r, &stage_lines, "1\n2", 3, 1);
    assert_int_equal(r.finished, OK);
    assert_int_equal(r.wish, WEIR_ENOUGH);
    h.answer = WEIR_STOP_FILE;
    stage_run_body(&r, &stage_lines, "1\n2", 3, 1);
    assert_int_equal(r.finished, WEIR_CANCELLED);
    end(&r, &h);
}

static void reset_tells_all_from_line_one(void **state)
{
    const weir_stage_type *types[] = {&stage_lines, &stage_records};
    for (size_t t = 0; t < 2; t++) {
        struct stage_run r;
        struct heard h;
        start(&r, &h, types[t]);
        h.stop_at = "2";
        h.answer = WEIR_ENOUGH;
        struct chain *c = stage_run_open(&r, types[t]);
        assert_int_equal(stage_run_write(&r, c, "1\n2\n3\n4", 7), OK);
        chain_reset(c);
        strbuf_clear(&h.text);
        h.stop_at = NULL;
        assert_int_equal(stage_run_write(&r, c, "1\n2\n3", 5), OK);
        stage_run_close(&r, c);
        assert_string_equal(strbuf_text(&h.text), "1<1> 2<2> 3<3> ");
        assert_int_equal(r.counts.lines_in, 3);
        end(&r, &h);
    }
}

static void bad_record_fails_the_file_where_that_is_asked_for(void **state)
{
    struct stage_run r;
    struct heard h;
    start(&r, &h, &stage_records);
    r.setup.bad_records = BAD_FAIL;
    stage_run_body(&r, &stage_records, "1\nx\n3\n", 6, 0);
    assert_int_equal(r.written, WEIR_RECORD);
    assert_memory_equal(r.err.message, "line 2: ", 8);
    assert_string_equal(strbuf_text(&h.text), "1<1> ");
    end(&r, &h);
}

/* Behind a filter its lines are counted once, by the filter. */
static void lines_of_a_filter_reach_the_callback_and_count_once(void **state)
{
    struct stage_run r;
    struct heard h;
    struct chain *c = NULL;
    start(&r, &h, &stage_lines);
    stage_run_pattern(&r, "a");
    r.setup.filter.line_number = true;
    r.context.setup = &r.setup;
    r.context.tools = &r.tools;
    r.context.callbacks = &r.callbacks;
    const weir_stage_type *types[] = {&stage_lines, &stage_filter};
    struct chain_out to = {stage_run_collect, &r};
    assert_int_equal(chain_open(&c, types, 2, &r.context, to, &r.err), OK);
    assert_int_equal(stage_run_write(&r, c, "xa\nb\nc\na", 8), OK);
    stage_run_close(&r, c);
    assert_string_equal(strbuf_text(&h.text), "1<1:xa> 2<4:a> ");
    assert_string_equal(strbuf_text(&r.out), "1:xa\n4:a\n");
    assert_int_equal(r.counts.lines_in, 4);
    assert_int_equal(r.counts.lines_out, 2);
    end(&r, &h);
}

static void line_too_long_for_both_callbacks_counts_once(void **state)
{
    struct stage_run r;
    struct heard h;
    struct chain *c = NULL;
    start(&r, &h, &stage_lines);
    r.callbacks.on_record = on_record;
    r.setup.max_line = 3;
    r.context.setup = &r.setup;
    r.context.tools = &r.tools;
    r.context.callbacks = &r.callbacks;
    const weir_stage_type *types[] = {&stage_lines, &stage_records};
    struct chain_out to = {stage_run_collect, &r};
    assert_int_equal(chain_open(&c, types, 2, &r.context, to, &r.err), OK);
    assert_int_equal(stage_run_write(&r, c, "1\n2345\n6", 8), OK);
    stage_run_close(&r, c);
    assert_string_equal(strbuf_text(&h.text), "1<1> 1<1> 3<6> 3<6> ");
    assert_int_equal(r.counts.lines_in, 3);
    assert_int_equal(r.counts.lines_out, 2);
    assert_int_equal(r.counts.long_lines, 1);
    end(&r, &h);
}

static void registry_names_every_stage_and_its_help(void **state)
{
    static const char *const names[] = {"decode", "data", "filter", "jsonl", "lines", "records"};
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(builtin_stage_at(i)->name, names[i]);
        assert_non_null(builtin_stage_at(i)->help);
        assert_int_equal(builtin_stage_at(i)->abi_size, sizeof(weir_stage_type));
        assert_int_equal(builtin_stage_at(i)->flags, WEIR_STAGE_NEEDS_STREAM);
    }
    assert_null(builtin_stage_at(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_chunking_gives_the_same_lines_and_all_bytes_pass),
        cmocka_unit_test(any_chunking_gives_the_same_records_and_all_bytes_pass),
        cmocka_unit_test(answers_do_what_they_say),
        cmocka_unit_test(last_line_may_have_enough_too),
        cmocka_unit_test(reset_tells_all_from_line_one),
        cmocka_unit_test(bad_record_fails_the_file_where_that_is_asked_for),
        cmocka_unit_test(lines_of_a_filter_reach_the_callback_and_count_once),
        cmocka_unit_test(line_too_long_for_both_callbacks_counts_once),
        cmocka_unit_test(registry_names_every_stage_and_its_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
