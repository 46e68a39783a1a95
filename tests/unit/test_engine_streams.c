/* Streams through stages, as a program uses them, against the project's fault server: lines and
 * records in callbacks, filters into files and descriptors, a tee, early ends, one output file. */
#include "engine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* A folder of its own for each test, left with it. */
struct place {
    const struct server *server;
    char dir[64];
    weir_config *config;
    weir_engine *engine;
    weir_error err;
    weir_summary summary;
};

static void open_place(struct place *p, void **state)
{
    *p = (struct place){.server = *state};
    strcpy(p->dir, "/tmp/weir-streams-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->config = quick_config();
    assert_int_equal(weir_config_set(p->config, "save.dir", p->dir, &p->err), WEIR_OK);
    assert_int_equal(weir_engine_new(&p->engine, p->config, &p->err), WEIR_OK);
}

static void close_place(struct place *p)
{
    char command[128];
    weir_engine_free(p->engine);
    weir_config_free(p->config);
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
}

static weir_status run(struct place *p)
{
    return weir_engine_run(p->engine, &p->summary, &p->err);
}

static char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = malloc(1 << 22);
    assert_non_null(text);
    *size = fread(text, 1, 1 << 22, file);
    fclose(file);
    return text;
}

static char *read_file(const struct place *p, const char *name, size_t *size)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    return read_all(path, size);
}

static size_t count_lines(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n + (size > 0 && text[size - 1] != '\n');
}

/* The body as it is, for comparison. */
static char *body_of(const struct place *p, const char *path, size_t *size)
{
    char *text = NULL;
    weir_error err;
    assert_int_equal(
        weir_get_memory(page_of(p->server, path), 1 << 22, p->config, &text, size, &err), WEIR_OK);
    return text;
}

/* ---- callbacks ---- */

struct lines {
    uint64_t count, last;
    size_t bytes;
    uint64_t stop_after; /* 0 = never */
    weir_next answer;
    weir_result result;
};

static weir_next take_line(weir_file *file, const char *line, size_t size, uint64_t number,
                           void *user)
{
    struct lines *l = user;
    l->count++;
    l->last = number;
    l->bytes += size;
    return l->stop_after && l->count >= l->stop_after ? l->answer : WEIR_NEXT;
}

static void keep_result(const weir_result *result, void *user)
{
    ((struct lines *)user)->result = *result;
}

static const weir_callbacks line_callbacks = {.on_line = take_line, .on_end = keep_result};

static void each_line_comes_once_whatever_breaks(void **state)
{
    static const char *const queries[] = {"", "?cutstep=9000", "?cutstep=20000&norange=1&first=3"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct place p;
        struct lines l = {0};
        char path[96];
        size_t size;
        open_place(&p, state);
        snprintf(path, sizeof path, "t/lines%zu/100000", i);
        char *body = body_of(&p, path, &size);
        strcat(path, queries[i]);
        weir_job job = {.url = page_of(p.server, path), .callbacks = &line_callbacks, .user = &l};
        assert_int_equal(weir_config_set(p.config, "retry.retries", "100", &p.err), WEIR_OK);
        assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
        assert_int_equal(run(&p), WEIR_OK);
        assert_int_equal(l.result.outcome, WEIR_DONE);
        assert_int_equal(l.count, count_lines(body, size));
        assert_int_equal(l.last, l.count);
        assert_int_equal(l.result.lines_in, l.count);
        free(body);
        close_place(&p);
    }
}

static void a_callback_that_has_enough_ends_the_download(void **state)
{
    struct place p;
    struct lines l = {.stop_after = 3, .answer = WEIR_ENOUGH};
    open_place(&p, state);
    weir_job job = {
        .url = page_of(p.server, "t/enough/400000000"), .callbacks = &line_callbacks, .user = &l};
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(l.result.outcome, WEIR_DONE);
    assert_int_equal(l.count, 3);
    assert_true(p.summary.stats.bytes < 50000000);
    close_place(&p);
}

static void a_file_is_saved_whole_though_its_callback_has_enough(void **state)
{
    struct place p;
    struct lines l = {.stop_after = 3, .answer = WEIR_ENOUGH};
    size_t size, saved;
    open_place(&p, state);
    char *body = body_of(&p, "t/whole/300000", &size);
    weir_job job = {.url = page_of(p.server, "t/whole/300000/f"),
                    .save = WEIR_SAVE_YES,
                    .callbacks = &line_callbacks,
                    .user = &l};
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(l.count, 3);
    char *file = read_file(&p, "f", &saved);
    assert_non_null(file);
    assert_int_equal(saved, size);
    assert_memory_equal(file, body, size);
    free(file);
    free(body);
    close_place(&p);
}

static void a_line_callback_may_stop_its_file_and_the_run(void **state)
{
    struct place p;
    struct lines l = {.stop_after = 2, .answer = WEIR_STOP_FILE};
    open_place(&p, state);
    weir_job job = {
        .url = page_of(p.server, "t/stop/50000"), .callbacks = &line_callbacks, .user = &l};
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(l.result.outcome, WEIR_FAILED);
    assert_int_equal(l.count, 2);
    close_place(&p);

    l = (struct lines){.stop_after = 2, .answer = WEIR_STOP_RUN};
    open_place(&p, state);
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_CANCELLED);
    close_place(&p);
}

struct records {
    uint64_t count, errors, with_user;
    weir_result result;
};

static weir_next take_record(weir_file *file, const weir_record *record, void *user)
{
    struct records *r = user;
    const char *text;
    size_t size;
    r->count++;
    if (weir_record_string(record, ".level", &text, &size) && size == 5 &&
        memcmp(text, "error", 5) == 0)
        r->errors++;
    return WEIR_NEXT;
}

static void keep_records_result(const weir_result *result, void *user)
{
    ((struct records *)user)->result = *result;
}

static void each_record_comes_once_whatever_breaks(void **state)
{
    static const char *const queries[] = {"", "?cutstep=9000", "?cutstep=20000&norange=1&first=3"};
    uint64_t errors = 0;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        static const weir_callbacks callbacks = {.on_record = take_record,
                                                 .on_end = keep_records_result};
        struct place p;
        struct records r = {0};
        char path[96] = "j/records/100000";
        size_t size;
        open_place(&p, state);
        char *body = body_of(&p, path, &size);
        strcat(path, queries[i]);
        weir_job job = {.url = page_of(p.server, path), .callbacks = &callbacks, .user = &r};
        assert_int_equal(weir_config_set(p.config, "retry.retries", "100", &p.err), WEIR_OK);
        assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
        assert_int_equal(run(&p), WEIR_OK);
        assert_int_equal(r.result.outcome, WEIR_DONE);
        assert_int_equal(r.count + r.result.bad_records, count_lines(body, size));
        assert_true(r.errors > 0);
        errors = i ? errors : r.errors;
        assert_int_equal(r.errors, errors);
        free(body);
        close_place(&p);
    }
}

/* ---- filters ---- */

static void filter(struct place *p, const char *pattern)
{
    weir_pattern one = {.text = pattern, .literal = true};
    weir_filter f = {.patterns = &one, .pattern_count = 1};
    assert_int_equal(weir_engine_filter(p->engine, &f, &p->err), WEIR_OK);
}

/* The lines of `body` that hold `word`, each with a newline. */
static char *lines_with(const char *body, size_t size, const char *word, size_t *out_size)
{
    char *out = malloc(size + 2);
    size_t n = 0, from = 0, length = strlen(word);
    assert_non_null(out);
    while (from < size) {
        const char *newline = memchr(body + from, '\n', size - from);
        size_t end = newline ? (size_t)(newline - body) : size;
        if (memmem(body + from, end - from, word, length)) {
            memcpy(out + n, body + from, end - from);
            n += end - from;
            out[n++] = '\n';
        }
        from = end + 1;
    }
    *out_size = n;
    return out;
}

static void a_filtered_file_holds_its_lines_and_a_second_filter_does_not_pass_for_it(void **state)
{
    struct place p;
    size_t size, wanted, saved;
    open_place(&p, state);
    char *body = body_of(&p, "t/filter/200000", &size);
    char *lines = lines_with(body, size, "a", &wanted);
    weir_job job = {.url = page_of(p.server, "t/filter/200000/f.log?cutstep=30000")};
    assert_int_equal(weir_config_set(p.config, "retry.retries", "100", &p.err), WEIR_OK);
    filter(&p, "a");
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    char *file = read_file(&p, "f.log", &saved);
    assert_non_null(file);
    assert_int_equal(saved, wanted);
    assert_memory_equal(file, lines, wanted);
    free(file);
    /* The same filter again: there already. Another one: said, and the file left as it is. */
    for (int round = 0; round < 2; round++) {
        weir_engine_free(p.engine);
        assert_int_equal(weir_engine_new(&p.engine, p.config, &p.err), WEIR_OK);
        filter(&p, round ? "b" : "a");
        assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
        assert_int_equal(run(&p), WEIR_OK);
        assert_int_equal(p.summary.stats.skipped, round ? 0 : 1);
        assert_int_equal(p.summary.failed_by_class[WEIR_NAME], round ? 1 : 0);
        file = read_file(&p, "f.log", &saved);
        assert_int_equal(saved, wanted);
        free(file);
    }
    free(lines);
    free(body);
    close_place(&p);
}

static void a_tee_saves_the_body_and_writes_the_lines(void **state)
{
    struct place p;
    size_t size, wanted, saved, written;
    open_place(&p, state);
    char *body = body_of(&p, "t/tee/300000", &size);
    char *lines = lines_with(body, size, "a", &wanted), path[96];
    snprintf(path, sizeof path, "%s/lines", p.dir);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    weir_job job = {.url = page_of(p.server, "t/tee/300000/f?cutstep=70000&norange=1&first=3")};
    filter(&p, "a");
    weir_engine_write_to_fd(p.engine, fd, "lines");
    weir_engine_set_save(p.engine, WEIR_SAVE_BODY);
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(p.summary.stats.done, 1);
    close(fd);
    char *file = read_file(&p, "f", &saved), *out = read_all(path, &written);
    assert_non_null(file);
    assert_int_equal(saved, size);
    assert_memory_equal(file, body, size);
    assert_int_equal(written, wanted);
    assert_memory_equal(out, lines, wanted);
    free(file);
    free(out);
    free(lines);
    free(body);
    close_place(&p);
}

static void one_output_file_has_its_name_only_at_the_end(void **state)
{
    struct place p;
    struct stat st;
    size_t size, wanted, written;
    char path[96], part[128];
    open_place(&p, state);
    char *body = body_of(&p, "t/one/100000", &size);
    char *lines = lines_with(body, size, "a", &wanted);
    snprintf(path, sizeof path, "%s/all.txt", p.dir);
    snprintf(part, sizeof part, "%s.part", path);
    filter(&p, "a");
    assert_int_equal(weir_engine_write_to_file(p.engine, path, &p.err), WEIR_OK);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(stat(part, &st), 0);
    weir_job good = {.url = page_of(p.server, "t/one/100000")};
    weir_job missing = {.url = page_of(p.server, "t/one/5?status=404")};
    assert_int_equal(weir_engine_add(p.engine, &good, &p.err), WEIR_OK);
    assert_int_equal(weir_engine_add(p.engine, &missing, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(stat(part, &st), -1);
    char *out = read_all(path, &written);
    assert_non_null(out);
    assert_int_equal(written, wanted);
    assert_memory_equal(out, lines, wanted);
    free(out);
    free(lines);
    free(body);
    close_place(&p);
}

static void an_output_file_of_somebody_else_is_left_alone(void **state)
{
    struct place p;
    char path[96], part[128];
    size_t size;
    open_place(&p, state);
    snprintf(path, sizeof path, "%s/all.txt", p.dir);
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "w");
    assert_non_null(file);
    fputs("mine\n", file);
    fclose(file);
    assert_int_equal(weir_engine_write_to_file(p.engine, path, &p.err), WEIR_NAME);
    char *text = read_all(part, &size);
    assert_int_equal(size, 5);
    free(text);
    close_place(&p);
}

static void a_stopped_run_leaves_no_final_output(void **state)
{
    struct place p;
    struct stat st;
    struct lines l = {.stop_after = 1, .answer = WEIR_STOP_RUN};
    char path[96];
    open_place(&p, state);
    snprintf(path, sizeof path, "%s/all.txt", p.dir);
    filter(&p, "a");
    assert_int_equal(weir_engine_write_to_file(p.engine, path, &p.err), WEIR_OK);
    weir_job job = {
        .url = page_of(p.server, "t/stop/500000"), .callbacks = &line_callbacks, .user = &l};
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_CANCELLED);
    assert_int_equal(stat(path, &st), -1);
    close_place(&p);
}

static void a_bad_pattern_is_known_before_the_run(void **state)
{
    struct place p;
    open_place(&p, state);
    weir_pattern bad = {.text = "a(b", .origin = "-e"};
    weir_filter f = {.patterns = &bad, .pattern_count = 1};
    assert_int_equal(weir_engine_filter(p.engine, &f, &p.err), WEIR_USAGE);
    assert_non_null(strstr(p.err.message, "a(b"));
    assert_int_equal(weir_engine_jsonl(p.engine, "select(", false, &p.err), WEIR_USAGE);
    close_place(&p);
}

static void bad_records_go_to_their_file(void **state)
{
    struct place p;
    char path[96];
    size_t size, written;
    open_place(&p, state);
    snprintf(path, sizeof path, "%s/bad", p.dir);
    assert_int_equal(weir_config_set(p.config, "jsonl.bad_records", path, &p.err), WEIR_OK);
    char *body = body_of(&p, "t/words/20000", &size); /* no line of it is JSON */
    weir_job job = {.url = page_of(p.server, "t/words/20000/f?cutstep=6000&norange=1&first=2")};
    assert_int_equal(weir_engine_jsonl(p.engine, ".", false, &p.err), WEIR_OK);
    assert_int_equal(weir_engine_add(p.engine, &job, &p.err), WEIR_OK);
    assert_int_equal(run(&p), WEIR_OK);
    assert_int_equal(p.summary.stats.done, 1);
    assert_true(p.summary.stats.bad_records > 0);
    char *bad = read_all(path, &written);
    assert_non_null(bad);
    assert_int_equal(count_lines(bad, written), p.summary.stats.bad_records);
    free(bad);
    free(body);
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_comes_once_whatever_breaks),
        cmocka_unit_test(a_callback_that_has_enough_ends_the_download),
        cmocka_unit_test(a_file_is_saved_whole_though_its_callback_has_enough),
        cmocka_unit_test(a_line_callback_may_stop_its_file_and_the_run),
        cmocka_unit_test(each_record_comes_once_whatever_breaks),
        cmocka_unit_test(a_filtered_file_holds_its_lines_and_a_second_filter_does_not_pass_for_it),
        cmocka_unit_test(a_tee_saves_the_body_and_writes_the_lines),
        cmocka_unit_test(one_output_file_has_its_name_only_at_the_end),
        cmocka_unit_test(an_output_file_of_somebody_else_is_left_alone),
        cmocka_unit_test(a_stopped_run_leaves_no_final_output),
        cmocka_unit_test(a_bad_pattern_is_known_before_the_run),
        cmocka_unit_test(bad_records_go_to_their_file),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
