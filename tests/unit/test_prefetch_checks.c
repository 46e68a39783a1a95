/* What a shard must be before it gets its name, and what the log of a cache survives. */
#include "prefetch/state_log.h"
#include "prefetch/validate.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

/* ---- validators ---- */

static status judge(const char *how, const char *name, const void *data, size_t n, error *err)
{
    static _Atomic bool leave;
    struct validate_rules rules = {.how = how, .leave = &leave, .leave_fd = -1};
    char path[] = "/tmp/weir-validate-XXXXXX";
    bool again;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, data, n), (ssize_t)n);
    status st = validate_file(&rules, fd, path, name, &again, err);
    assert_false(again);
    close(fd);
    return st;
}

static void expect_judged(const char *how, const char *name, const void *data, size_t n,
                          status wanted, const char *why)
{
    error err = {0};
    status st = judge(how, name, data, n, &err);
    if (st != wanted || (why && !strstr(err.message, why)))
        fail_msg("%s, %s, %zu bytes: wanted %s (%s), got %s: %s", how, name, n,
                 weir_status_name(wanted), why ? why : "", weir_status_name(st), err.message);
}

static void parquet_is_known_by_its_ends(void **state)
{
    static const struct {
        const char *data;
        size_t n;
        status st;
        const char *why;
    } table[] = {
        {"PAR1body\4\0\0\0PAR1", 16, OK, NULL}, /* a footer of "body" */
        {"PAR1body\4\0\0\0PARE", 16, OK, NULL},
        {"PAR1body\5\0\0\0PAR1", 16, WEIR_RECORD, "footer of 5 bytes"},
        {"PAR1body\0\0\0\0PAR1", 16, WEIR_RECORD, "footer of 0 bytes"},
        {"PAR1body\377\377\377\377PAR1", 16, WEIR_RECORD, "footer of 4294967295 bytes"},
        {"PAR1body\4\0\0\0PAR2", 16, WEIR_RECORD, "cut off"},
        {"<htmbody\4\0\0\0PAR1", 16, WEIR_RECORD, "does not begin"},
        {"PAR1PAR1", 8, WEIR_RECORD, "too few"},
        {"", 0, WEIR_RECORD, "too few"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_judged("auto", "a.parquet", table[i].data, table[i].n, table[i].st, table[i].why);
        expect_judged("parquet", "a", table[i].data, table[i].n, table[i].st, table[i].why);
        expect_judged("none", "a.parquet", table[i].data, table[i].n, OK, NULL);
        expect_judged("auto", "a.txt", table[i].data, table[i].n, OK, NULL);
    }
}

static size_t gzip_of(char *out, size_t cap, const void *data, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = z.total_out;
    deflateEnd(&z);
    return made;
}

static void gzip_is_read_to_its_end(void **state)
{
    char packed[4096];
    size_t n = gzip_of(packed, sizeof packed, "some text", 9);
    expect_judged("auto", "a.gz", packed, n, OK, NULL);
    expect_judged("auto", "a.gz", packed, n - 3, WEIR_DECODE, NULL);
    expect_judged("auto", "a.gz", "plain text", 10, WEIR_DECODE, "does not begin like gzip");
    packed[n - 6] ^= 1;
    expect_judged("auto", "a.gz", packed, n, WEIR_DECODE, NULL);
    expect_judged("auto", "a.zst", packed, n, WEIR_DECODE, "does not begin like zstd");
}

static void lines_of_json_are_json(void **state)
{
    static const char good[] = "{\"a\":1}\n\n[1,2]\r\n\"last\"";
    static const char bad[] = "{\"a\":1}\n{\"a\":}\n";
    char packed[4096];
    expect_judged("auto", "a.jsonl", good, sizeof good - 1, OK, NULL);
    expect_judged("auto", "a.jsonl", bad, sizeof bad - 1, WEIR_RECORD, "line 2");
    size_t n = gzip_of(packed, sizeof packed, bad, sizeof bad - 1);
    expect_judged("auto", "a.jsonl.gz", packed, n, WEIR_RECORD, "line 2");
    n = gzip_of(packed, sizeof packed, good, sizeof good - 1);
    expect_judged("auto", "a.jsonl.gz", packed, n, OK, NULL);
}

static size_t tar_of(char *out, const char *body, size_t n)
{
    size_t blocks = (n + 511) / 512;
    memset(out, 0, 512 * (3 + blocks));
    strcpy(out, "member");
    snprintf(out + 124, 12, "%011zo", n);
    memset(out + 148, ' ', 8);
    out[156] = '0';
    memcpy(out + 257, "ustar", 6);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)out[i];
    snprintf(out + 148, 8, "%06o", sum);
    memcpy(out + 512, body, n);
    return 512 * (3 + blocks);
}

static void tar_is_walked_from_member_to_member(void **state)
{
    char tar[8192], packed[8192], body[1000];
    memset(body, 'x', sizeof body);
    size_t n = tar_of(tar, body, sizeof body);
    expect_judged("auto", "a.tar", tar, n, OK, NULL);
    expect_judged("auto", "a.tar", tar, n - 512, OK, NULL);
    expect_judged("auto", "a.tar", tar, n - 1024, WEIR_RECORD, "cut off, after 1");
    expect_judged("auto", "a.tar", tar, 700, WEIR_RECORD, "cut off, after 1");
    expect_judged("auto", "a.tar", tar, 0, WEIR_RECORD, "cut off, after 0");
    size_t m = gzip_of(packed, sizeof packed, tar, n);
    expect_judged("auto", "a.tar.gz", packed, m, OK, NULL);
    tar[3] ^= 1;
    expect_judged("auto", "a.tar", tar, n, WEIR_RECORD, "damaged header, after 0");
}

static void several_may_be_asked_for(void **state)
{
    expect_judged("parquet,jsonl", "a", "{}\n", 3, WEIR_RECORD, "parquet");
    expect_judged("jsonl,parquet", "a", "PAR1body\4\0\0\0PAR1", 16, WEIR_RECORD, "line 1");
    expect_judged("jsonl", "a", "{}\n", 3, OK, NULL);
}

/* ---- the log ---- */

struct lines {
    char text[4096];
    size_t n;
};

static status keep_line(void *ctx, const char *line, error *err)
{
    struct lines *l = ctx;
    l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s;", line);
    return OK;
}

static int folder(char *path)
{
    assert_non_null(mkdtemp(path));
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static struct state_log *reopen(int dirfd, const char *wanted)
{
    struct state_log *log = NULL;
    struct lines lines = {0};
    error err = {0};
    status st = state_log_open(&log, dirfd, "cache", keep_line, &lines, &err);
    if (st)
        fail_msg("cannot be opened: %s", err.message);
    assert_string_equal(lines.text, wanted);
    return log;
}

static void clean_up(int dirfd, const char *path)
{
    unlinkat(dirfd, "state", 0);
    unlinkat(dirfd, "lock", 0);
    close(dirfd);
    rmdir(path);
}

static void a_log_that_was_cut_anywhere_is_read_up_to_its_last_whole_line(void **state)
{
    char path[] = "/tmp/weir-log-XXXXXX";
    int dirfd = folder(path);
    error err;
    struct state_log *log = reopen(dirfd, "");
    assert_int_equal(state_log_append(log, "first", true, &err), OK);
    assert_int_equal(state_log_append(log, "second one", false, &err), OK);
    assert_int_equal(state_log_append(log, "third", true, &err), OK);
    int64_t size = state_log_size(log);
    state_log_close(log);
    int fd = openat(dirfd, "state", O_RDONLY);
    char bytes[1024];
    assert_int_equal(read(fd, bytes, sizeof bytes), size);
    close(fd);
    for (int64_t cut = size; cut >= 0; cut--) {
        fd = openat(dirfd, "state", O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, bytes, (size_t)cut), cut);
        close(fd);
        const char *wanted = cut == size           ? "first;second one;third;"
                             : cut >= 33 + 23 + 28 ? "first;second one;"
                             : cut >= 33 + 23      ? "first;"
                                                   : "";
        log = reopen(dirfd, wanted);
        assert_int_equal(state_log_append(log, "after", false, &err), OK);
        state_log_close(log);
        char more[64];
        snprintf(more, sizeof more, "%safter;", wanted);
        state_log_close(reopen(dirfd, more));
    }
    clean_up(dirfd, path);
}

static void one_wrong_bit_ends_the_reading(void **state)
{
    char path[] = "/tmp/weir-log-XXXXXX";
    int dirfd = folder(path);
    error err;
    struct state_log *log = reopen(dirfd, "");
    state_log_append(log, "first", false, &err);
    state_log_append(log, "second", false, &err);
    state_log_append(log, "third", true, &err);
    state_log_close(log);
    int fd = openat(dirfd, "state", O_WRONLY);
    assert_int_equal(pwrite(fd, "S", 1, 33 + 23), 1);
    close(fd);
    state_log_close(reopen(dirfd, "first;"));
    clean_up(dirfd, path);
}

static void a_rewritten_log_has_the_new_lines_only(void **state)
{
    char path[] = "/tmp/weir-log-XXXXXX";
    int dirfd = folder(path);
    error err;
    struct strbuf text = {0};
    struct state_log *log = reopen(dirfd, "");
    state_log_append(log, "old", true, &err);
    strbuf_adds(&text, "new\nnewer\n");
    assert_int_equal(state_log_rewrite(log, &text, &err), OK);
    state_log_append(log, "newest", false, &err);
    state_log_close(log);
    state_log_close(reopen(dirfd, "new;newer;newest;"));
    strbuf_free(&text);
    clean_up(dirfd, path);
}

static void what_is_none_of_ours_is_left_alone(void **state)
{
    static const char text[] = "somebody's own state, long enough to be told from a beginning\n";
    char path[] = "/tmp/weir-log-XXXXXX";
    int dirfd = folder(path);
    error err;
    struct state_log *log = NULL;
    struct lines lines = {0};
    int fd = openat(dirfd, "state", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(state_log_open(&log, dirfd, "cache", keep_line, &lines, &err), WEIR_CONFIG);
    struct stat st;
    assert_int_equal(fstatat(dirfd, "state", &st, 0), 0);
    assert_int_equal(st.st_size, sizeof text - 1);
    clean_up(dirfd, path);
}

static void a_second_owner_is_told_who_has_it(void **state)
{
    char path[] = "/tmp/weir-log-XXXXXX", who[32];
    int dirfd = folder(path);
    error err;
    struct lines lines = {0};
    struct state_log *log = reopen(dirfd, ""), *second = NULL;
    assert_int_equal(state_log_open(&second, dirfd, "cache", keep_line, &lines, &err), WEIR_CONFIG);
    snprintf(who, sizeof who, "process %d", (int)getpid());
    assert_non_null(strstr(err.message, who));
    state_log_close(log);
    state_log_close(reopen(dirfd, ""));
    clean_up(dirfd, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parquet_is_known_by_its_ends),
        cmocka_unit_test(gzip_is_read_to_its_end),
        cmocka_unit_test(lines_of_json_are_json),
        cmocka_unit_test(tar_is_walked_from_member_to_member),
        cmocka_unit_test(several_may_be_asked_for),
        cmocka_unit_test(a_log_that_was_cut_anywhere_is_read_up_to_its_last_whole_line),
        cmocka_unit_test(one_wrong_bit_ends_the_reading),
        cmocka_unit_test(a_rewritten_log_has_the_new_lines_only),
        cmocka_unit_test(what_is_none_of_ours_is_left_alone),
        cmocka_unit_test(a_second_owner_is_told_who_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
