/* Report lines, the list of failed records, what neither may hold, and writing that fails. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "core/text.h"
#include "report/redact.h"
#include "report/report.h"
#include "sink/name.h"
#include "source/source.h"

/* Each test has a folder of its own. */
struct place {
    char dir[64];
    char path[96];  /* a file in it */
    char other[96]; /* another */
    char text[300000];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    strcpy(p->dir, "/tmp/weir-report-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/list", p->dir);
    snprintf(p->other, sizeof p->other, "%s/other", p->dir);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    char left[128];
    snprintf(left, sizeof left, "%s.new", p->path);
    unlink(left);
    unlink(p->path);
    unlink(p->other);
    int result = rmdir(p->dir); /* nothing else may have been left behind */
    free(p);
    return result;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* The file's text, borrowed until the next call; "(none)" when there is no file. */
static const char *contents(struct place *p, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return "(none)";
    size_t n = fread(p->text, 1, sizeof p->text - 1, f);
    p->text[n] = '\0';
    fclose(f);
    return p->text;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct job *make_job(const char *url, const char *name, const char *id, int64_t size,
                            const char *extra, size_t extra_size)
{
    struct job_text text = {.url = url,
                            .authority = "h:80",
                            .name = name,
                            .id = id,
                            .extra = extra,
                            .extra_size = extra_size};
    struct job *job = job_new(&text);
    job->line = 1;
    job->size = size;
    return job;
}

#define EXTRA(literal) literal, sizeof(literal) /* the NUL that C adds is the one at the end */

/* ---- report lines ---- */

static void write_one(struct place *p, const struct job *job, const weir_result *result)
{
    struct report *r;
    error err;
    assert_int_equal(report_open(&r, p->path, &err), OK);
    assert_int_equal(report_write(r, job, result, &err), OK);
    assert_int_equal(report_close(r, &err), OK);
}

static void a_finished_url_is_one_line_with_all_keys(void **state)
{
    struct place *p = *state;
    weir_error none = {0};
    weir_result result = {.outcome = WEIR_DONE,
                          .url = "http://a/x",
                          .final_url = "http://b/y",
                          .path = "x \"1\"",
                          .id = "A",
                          .line = 7,
                          .http_status = 206,
                          .bytes = 5000000000,
                          .resumed_from = 1000,
                          .attempts = 2,
                          .duration_ms = 321,
                          .error = &none};
    write_one(p, NULL, &result);
    assert_string_equal(
        contents(p, p->path),
        "{\"url\":\"http://a/x\",\"final_url\":\"http://b/y\",\"path\":\"x \\\"1\\\"\","
        "\"id\":\"A\",\"line\":7,\"status\":\"ok\",\"http\":206,\"bytes\":5000000000,"
        "\"resumed_from\":1000,\"attempts\":2,\"ms\":321,\"error\":null}\n");
}

static void what_is_absent_is_null(void **state)
{
    struct place *p = *state;
    weir_result result = {
        .outcome = WEIR_SKIPPED, .url = "http://a/x", .unchecked = true, .duplicate = true};
    write_one(p, NULL, &result);
    assert_string_equal(contents(p, p->path),
                        "{\"url\":\"http://a/x\",\"final_url\":null,\"path\":null,\"id\":null,"
                        "\"line\":null,\"status\":\"skipped\",\"http\":null,\"bytes\":0,"
                        "\"resumed_from\":0,\"attempts\":0,\"ms\":0,\"unchecked\":true,"
                        "\"duplicate\":true,\"error\":null}\n");
}

static void a_failure_has_class_and_message(void **state)
{
    struct place *p = *state;
    weir_error why;
    fail(&why, WEIR_RATE_LIMITED, "http://u:pw@h/x: said \"429\"");
    weir_result result = {.outcome = WEIR_FAILED, .url = "http://u:pw@h/x", .error = &why};
    write_one(p, NULL, &result);
    const char *text = contents(p, p->path);
    assert_non_null(strstr(text, "\"url\":\"http://h/x\""));
    assert_non_null(strstr(text, "\"status\":\"failed\""));
    assert_non_null(strstr(text, "\"error\":{\"class\":\"rate_limited\",\"message\":"
                                 "\"http://h/x: said \\\"429\\\"\"}}\n"));
}

static void other_columns_go_along_and_never_hide_our_keys(void **state)
{
    struct place *p = *state;
    struct job *job =
        make_job("http://a/", NULL, NULL, -1,
                 EXTRA("md5\0ab\0status\0x\"\0digest\0d\0mirror\0ftp://me:pw@m/f\0na\"me\0\xff\0"));
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    write_one(p, job, &result);
    const char *tail = strstr(contents(p, p->path), "\"error\":");
    assert_string_equal(tail, "\"error\":null,\"md5\":\"ab\",\"list_status\":\"x\\\"\","
                              "\"list_digest\":\"d\",\"mirror\":\"ftp://m/f\","
                              "\"na\\\"me\":\"\xef\xbf\xbd\"}\n");
    job_free(job);
}

static void lines_are_gathered_until_a_flush(void **state)
{
    struct place *p = *state;
    struct report *r;
    error err;
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    put(p->path, "old text that goes");
    assert_int_equal(report_open(&r, p->path, &err), OK);
    assert_int_equal(report_write(r, NULL, &result, &err), OK);
    assert_string_equal(contents(p, p->path), "");
    assert_int_equal(report_flush(r, &err), OK);
    assert_int_equal(strncmp(contents(p, p->path), "{\"url\":", 7), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(report_write(r, NULL, &result, &err), OK);
    assert_true(strlen(contents(p, p->path)) > 65536); /* it does not pile up either */
    assert_int_equal(report_close(r, &err), OK);
    int lines = 0;
    for (const char *at = contents(p, p->path); (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1001);
    assert_int_equal(report_close(NULL, &err), OK);
}

static void the_report_may_go_to_standard_output(void **state)
{
    struct place *p = *state;
    static const char *const names[] = {"-", "/dev/stdout"};
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        int saved = dup(STDOUT_FILENO), fd = open(p->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDOUT_FILENO);
        close(fd);
        struct report *r = NULL;
        error err;
        status st = report_open(&r, names[i], &err);
        st = st ? st : report_write(r, NULL, &result, &err);
        st = st ? st : report_close(r, &err);
        bool open_still = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
        dup2(saved, STDOUT_FILENO);
        close(saved);
        assert_int_equal(st, OK);
        assert_true(open_still);
        assert_int_equal(strncmp(contents(p, p->path), "{\"url\":", 7), 0);
    }
}

/* ---- writing that fails ---- */

static void a_report_that_cannot_be_opened_is_told_with_its_path(void **state)
{
    struct report *r = NULL;
    struct failed_list *f = NULL;
    error err;
    assert_int_equal(report_open(&r, "/nonexistent/dir/r.jsonl", &err), WEIR_DISK);
    assert_non_null(strstr(err.message, "/nonexistent/dir/r.jsonl: cannot be opened"));
    assert_int_equal(failed_open(&f, "/nonexistent/dir/f.tsv", &err), WEIR_DISK);
    assert_non_null(strstr(err.message, "/nonexistent/dir/f.tsv"));
    assert_null(r);
    assert_null(f);
}

static void a_full_disk_is_told_by_write_and_close(void **state)
{
    struct report *r;
    error err;
    status st = OK;
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    assert_int_equal(report_open(&r, "/dev/full", &err), OK);
    for (int i = 0; i < 1000 && !st; i++)
        st = report_write(r, NULL, &result, &err);
    assert_int_equal(st, WEIR_DISK);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_non_null(strstr(err.message, "/dev/full: writing failed: No space left"));
    assert_int_equal(report_close(r, &err), WEIR_DISK);
}

static void a_reader_that_left_is_told(void **state)
{
    struct place *p = *state;
    struct report *r;
    error err;
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(mkfifo(p->path, 0600), 0);
    int reader = open(p->path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(report_open(&r, p->path, &err), OK);
    close(reader);
    assert_int_equal(report_write(r, NULL, &result, &err), OK);
    assert_int_equal(report_flush(r, &err), WEIR_DISK);
    assert_int_equal(err.sys_errno, EPIPE);
    assert_int_equal(report_close(r, NULL), WEIR_DISK);
    signal(SIGPIPE, before);
}

/* The limit on file sizes plays the full disk, and then the disk that has room again. */
static void a_full_disk_leaves_whole_lines_and_loses_none(void **state)
{
    struct place *p = *state;
    struct report *r;
    error err;
    status st = OK;
    weir_result result = {.outcome = WEIR_DONE, .url = "http://a/"};
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){10000, old.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(report_open(&r, p->path, &err), OK);
    for (uint64_t i = 0; i < 300; i++) {
        result.line = i + 1;
        assert_int_equal(report_write(r, NULL, &result, &err), OK);
    }
    setrlimit(RLIMIT_FSIZE, &small);
    st = report_flush(r, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, before);
    assert_int_equal(st, WEIR_DISK);
    const char *text = contents(p, p->path);
    size_t n = strlen(text);
    assert_in_range(n, 9000, 10000);
    assert_int_equal(text[n - 1], '\n');
    assert_int_equal(report_close(r, &err), OK);
    const char *at = contents(p, p->path);
    for (int i = 1; i <= 300; i++) {
        char key[40];
        snprintf(key, sizeof key, "\"line\":%d,", i);
        at = strstr(at, "{\"url\"");
        assert_non_null(at);
        assert_ptr_equal(strstr(at, "\"line\":"), strstr(at, key));
        at = strchr(at, '\n');
        assert_non_null(at);
    }
    assert_string_equal(at, "\n");
}

/* ---- the list of failed records ---- */

static void write_failed(const char *path, struct job *const *jobs, size_t n)
{
    struct failed_list *f;
    error err;
    assert_int_equal(failed_open(&f, path, &err), OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(failed_write(f, jobs[i], &err), OK);
    assert_int_equal(failed_close(f, &err), OK);
}

static void failed_records_are_rows_of_url_name_and_id(void **state)
{
    struct place *p = *state;
    struct job *jobs[] = {
        make_job("http://a/1", "one.bin", NULL, -1, NULL, 0),
        make_job("http://u:p@a/2", "d/two", "B\t2\n", -1, NULL, 0),
        make_job("http://a/3", NULL, NULL, -1, NULL, 0),
    };
    write_failed(p->path, jobs, 3);
    assert_string_equal(contents(p, p->path), "url\tname\tid\n"
                                              "http://a/1\tone.bin\t\n"
                                              "http://a/2\td/two\tB2\n"
                                              "http://a/3\t\t\n");
    for (int i = 0; i < 3; i++)
        job_free(jobs[i]);
}

static void columns_are_titled_anew_where_there_are_more(void **state)
{
    struct place *p = *state;
    struct job *jobs[] = {
        make_job("http://a/1", "n", "A", 5, EXTRA("md5\0ff\0note\0x y\0")),
        make_job("http://a/2", "m", NULL, -1, EXTRA("note\0z\0more\0w\0")),
    };
    write_failed(p->path, jobs, 2);
    assert_string_equal(contents(p, p->path), "url\tname\tid\tsize\tmd5\tnote\n"
                                              "http://a/1\tn\tA\t5\tff\tx y\n"
                                              "url\tname\tid\tsize\tmd5\tnote\tmore\n"
                                              "http://a/2\tm\t\t\t\tz\tw\n");
    for (int i = 0; i < 2; i++)
        job_free(jobs[i]);
}

static void a_failed_list_reads_back_as_a_list(void **state)
{
    struct place *p = *state;
    struct job *job = make_job("http://a/1", "d/n m", "A", 5, EXTRA("etag\0ff\0"));
    write_failed(p->path, &job, 1);
    struct reader *in;
    struct source *s;
    struct record r;
    error err;
    assert_int_equal(reader_open_path(&in, p->path, &err), OK);
    assert_int_equal(source_open(&s, in, p->path, NULL, &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.url, "http://a/1"));
    assert_true(span_equal(r.name, "d/n m"));
    assert_true(span_equal(r.id, "A"));
    assert_int_equal(r.size, 5);
    assert_int_equal(r.extra.n, job->bytes - job->extra);
    assert_memory_equal(r.extra.p, job_text(job, job->extra), r.extra.n);
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
    job_free(job);
}

/* Of lists of several kinds, read in one run: no record loses what vouches for it. */
static void a_failed_list_grows_columns_and_reads_back(void **state)
{
    struct place *p = *state;
    struct job *jobs[] = {make_job("http://a/1", "n1", "A", -1, NULL, 0),
                          make_job("http://a/2", "n2", "B", 7, EXTRA("etag\0ff\0")),
                          make_job("http://a/3", "n3", "C", -1, EXTRA("kind\0x\0")),
                          make_job("http://a/4", "n4", "D", 9, NULL, 0)};
    static const char *const extras[] = {"", "etag=ff;", "kind=x;", ""};
    static const int64_t sizes[] = {-1, 7, -1, 9};
    write_failed(p->path, jobs, 4);
    struct reader *in;
    struct source *s;
    struct record r;
    error err;
    assert_int_equal(reader_open_path(&in, p->path, &err), OK);
    assert_int_equal(source_open(&s, in, p->path, NULL, &err), OK);
    for (size_t i = 0; i < 4; i++) {
        struct strbuf extra = {0};
        assert_int_equal(source_next(s, &r, &err), OK);
        assert_true(span_equal(r.url, job_text(jobs[i], jobs[i]->url)));
        assert_true(span_equal(r.name, job_text(jobs[i], jobs[i]->name)));
        assert_int_equal(r.size, sizes[i]);
        for (const char *at = r.extra.n ? r.extra.p : ""; *at;) {
            strbuf_addf(&extra, "%s=%s;", at, at + strlen(at) + 1);
            at += strlen(at) + 1;
            at += strlen(at) + 1;
        }
        assert_string_equal(strbuf_text(&extra), extras[i]);
        strbuf_free(&extra);
        job_free(jobs[i]);
    }
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
}

/* A name comes sanitised and is sanitised again on its way back: escapes must not pile up. */
static void names_stand_as_they_were_before_the_sanitiser(void **state)
{
    /* clang-format off */
    static const char *const rows[][2] = {
        {"plain", "plain"},          {"a%2525b", "a%25b"},        {"100%", "100%"},
        {"50%zz%4", "50%zz%4"},      {"x%2Epart", "x.part"},      {"x%2Epart~1", ""},
        {"d%2Epart/e", "d.part/e"},  {"a%0Ab", ""},               {"a%2Fb", ""},
        {"a%3Fb", ""},               {"d/%7F", ""},               {"%2%2535", "%2%35"},
        {"a/%2E/b", "a//b"},         {"%2E/b", ""},               {"a/%C2%85", "a/\xc2\x85"},
    };
    /* clang-format on */
    struct place *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job *job = make_job("http://a/", rows[i][0], NULL, -1, NULL, 0);
        char expected[100];
        snprintf(expected, sizeof expected, "url\tname\tid\nhttp://a/\t%s\t\n", rows[i][1]);
        write_failed(p->path, &job, 1);
        assert_string_equal(contents(p, p->path), expected);
        job_free(job);
    }
}

static void names_survive_a_second_run(void **state)
{
    static const char *const raws[] = {
        "a",
        "a b",
        " a",
        "#a",
        "100%",
        "%41",
        "%%41",
        "%2541",
        "x.part",
        "x.part.resume",
        "x.part/y.part",
        "a//b",
        "a///b",
        "..a",
        "\xc2\x9b",
        "\xc3\xa4",
        "\xff",
        "%2E",
        "a%2Fb",
        "%2%35",
        ".part",
        "x.resume",
        "resume/part",
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof raws / sizeof *raws; i++) {
        struct strbuf once = {0}, twice = {0};
        error err;
        assert_int_equal(name_sanitise(&once, span_of(raws[i]), &err), OK);
        struct job *job = make_job("http://a/", once.p, NULL, -1, NULL, 0);
        write_failed(p->path, &job, 1);
        struct reader *in;
        struct source *s;
        struct record r;
        assert_int_equal(reader_open_path(&in, p->path, &err), OK);
        assert_int_equal(source_open(&s, in, p->path, NULL, &err), OK);
        assert_int_equal(source_next(s, &r, &err), OK);
        assert_int_equal(name_sanitise(&twice, r.name, &err), OK);
        assert_string_equal(twice.p, once.p);
        source_close(s);
        job_free(job);
        strbuf_free(&once);
        strbuf_free(&twice);
    }
}

static void no_failures_leave_no_list(void **state)
{
    struct place *p = *state;
    write_failed(p->path, NULL, 0);
    assert_false(exists(p->path));
    put(p->path, "url\tname\tid\nhttp://old/\t\t\n");
    write_failed(p->path, NULL, 0);
    assert_false(exists(p->path));
    put(p->path, "");
    write_failed(p->path, NULL, 0);
    assert_false(exists(p->path));
    /* A list that cannot be read on is told as a failure, but it is no record. */
    struct job *broken = make_job("list.txt", NULL, NULL, -1, NULL, 0);
    broken->line = broken->authority = 0;
    write_failed(p->path, &broken, 1);
    assert_false(exists(p->path));
    job_free(broken);
}

static void a_file_of_somebody_else_is_never_replaced(void **state)
{
    static const char *const files[] = {"http://a/\nhttp://b/\n", "url", "url\tname\tsize\n"};
    struct place *p = *state;
    for (size_t i = 0; i < 3; i++) {
        struct failed_list *f = NULL;
        error err;
        put(p->path, files[i]);
        assert_int_equal(failed_open(&f, p->path, &err), WEIR_USAGE);
        assert_null(f);
        assert_non_null(strstr(err.message, p->path));
        assert_string_equal(contents(p, p->path), files[i]);
    }
}

/* weir get -i failed.tsv --failed failed.tsv */
static void the_list_that_is_read_may_be_the_one_that_is_written(void **state)
{
    struct place *p = *state;
    put(p->path, "url\tname\tid\nhttp://a/1\t\t\nhttp://a/2\t\t\n");
    struct reader *in;
    struct source *s;
    struct record r;
    struct failed_list *f;
    error err;
    assert_int_equal(reader_open_path(&in, p->path, &err), OK);
    assert_int_equal(source_open(&s, in, p->path, NULL, &err), OK);
    assert_int_equal(failed_open(&f, p->path, &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    struct job *job = make_job("http://a/1", NULL, NULL, -1, NULL, 0);
    assert_int_equal(failed_write(f, job, &err), OK);
    assert_int_equal(failed_flush(f, &err), OK);
    /* Killed here, the old list still tells everything that is left to do. */
    assert_non_null(strstr(contents(p, p->path), "http://a/2"));
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.url, "http://a/2"));
    assert_int_equal(failed_close(f, &err), OK);
    assert_string_equal(contents(p, p->path), "url\tname\tid\nhttp://a/1\t\t\n");
    source_close(s);
    job_free(job);
}

static void a_stopped_run_keeps_the_earlier_list(void **state)
{
    static const char old[] = "url\tname\tid\nhttp://a/1\t\t\nhttp://a/2\t\t\n";
    struct place *p = *state;
    struct job *job = make_job("http://a/1", NULL, NULL, -1, NULL, 0);
    for (int with_old = 0; with_old < 2; with_old++)
        for (int failures = 0; failures < 2; failures++) {
            unlink(p->path);
            if (with_old)
                put(p->path, old);
            struct failed_list *f;
            error err;
            assert_int_equal(failed_open(&f, p->path, &err), OK);
            if (failures)
                assert_int_equal(failed_write(f, job, &err), OK);
            failed_keep_earlier(f);
            assert_int_equal(failed_close(f, &err), OK);
            if (with_old)
                assert_string_equal(contents(p, p->path), old);
            else if (failures)
                assert_string_equal(contents(p, p->path), "url\tname\tid\nhttp://a/1\t\t\n");
            else
                assert_false(exists(p->path));
        }
    job_free(job);
}

static void a_symbolic_link_stays_and_its_target_is_replaced(void **state)
{
    struct place *p = *state;
    put(p->other, "url\tname\tid\nhttp://old/\t\t\n");
    assert_int_equal(symlink(p->other, p->path), 0);
    struct job *job = make_job("http://a/1", NULL, NULL, -1, NULL, 0);
    write_failed(p->path, &job, 1);
    struct stat st;
    assert_int_equal(lstat(p->path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_string_equal(contents(p, p->other), "url\tname\tid\nhttp://a/1\t\t\n");
    job_free(job);
}

static void devices_are_written_directly(void **state)
{
    struct job *job = make_job("http://a/1", NULL, NULL, -1, NULL, 0);
    struct failed_list *f;
    error err;
    write_failed("/dev/null", &job, 1);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(failed_open(&f, "/dev/full", &err), OK);
    assert_int_equal(failed_write(f, job, &err), OK);
    assert_int_equal(failed_flush(f, &err), WEIR_DISK);
    assert_int_equal(failed_close(f, &err), WEIR_DISK);
    assert_int_equal(failed_close(NULL, &err), OK);
    job_free(job);
}

/* ---- secrets ---- */

static void urls_lose_user_and_password(void **state)
{
    static const char *const rows[][2] = {
        {"http://h/", "http://h/"},
        {"http://u:p@h/", "http://h/"},
        {"http://u@h/a@b", "http://h/a@b"},
        {"http://u:p@q@h:80/a", "http://h:80/a"},
        {"http://u:p w\"x@h", "http://h"},
        {"http://h?m=a:b@c", "http://h?m=a:b@c"},
        {"http://h#a:b@c", "http://h#a:b@c"},
        {"http://h/?u=ftp://a:b@c/d", "http://h/?u=ftp://c/d"},
        {"u:p@h/x", "h/x"},
        {"me@h/x", "me@h/x"},
        {"", ""},
        {"://", "://"},
        {"http://u:p@", "http://"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf out = {0};
        redact_url(&out, span_of(rows[i][0]));
        assert_string_equal(strbuf_text(&out), rows[i][1]);
        strbuf_free(&out);
    }
}

static void messages_lose_them_too(void **state)
{
    static const char *const rows[][2] = {
        {"x: http://u:p@h/ and https://v:q@i failed", "x: http://h/ and https://i failed"},
        {"list:3: \"u:p@h/x\" is no URL", "list:3: \"h/x\" is no URL"},
        {"http://h said: write to me@h", "http://h said: write to me@h"},
        {"(http://u:p@h)", "(http://h)"},
        {"proxy <u:p@h>", "proxy <h>"},
        {"nothing: here", "nothing: here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf out = {0};
        redact_text(&out, span_of(rows[i][0]));
        assert_string_equal(strbuf_text(&out), rows[i][1]);
        strbuf_free(&out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_finished_url_is_one_line_with_all_keys),
        TEST(what_is_absent_is_null),
        TEST(a_failure_has_class_and_message),
        TEST(other_columns_go_along_and_never_hide_our_keys),
        TEST(lines_are_gathered_until_a_flush),
        TEST(the_report_may_go_to_standard_output),
        TEST(a_report_that_cannot_be_opened_is_told_with_its_path),
        TEST(a_full_disk_is_told_by_write_and_close),
        TEST(a_reader_that_left_is_told),
        TEST(a_full_disk_leaves_whole_lines_and_loses_none),
        TEST(failed_records_are_rows_of_url_name_and_id),
        TEST(columns_are_titled_anew_where_there_are_more),
        TEST(a_failed_list_reads_back_as_a_list),
        TEST(a_failed_list_grows_columns_and_reads_back),
        TEST(names_stand_as_they_were_before_the_sanitiser),
        TEST(names_survive_a_second_run),
        TEST(no_failures_leave_no_list),
        TEST(a_file_of_somebody_else_is_never_replaced),
        TEST(the_list_that_is_read_may_be_the_one_that_is_written),
        TEST(a_stopped_run_keeps_the_earlier_list),
        TEST(a_symbolic_link_stays_and_its_target_is_replaced),
        TEST(devices_are_written_directly),
        TEST(urls_lose_user_and_password),
        TEST(messages_lose_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
