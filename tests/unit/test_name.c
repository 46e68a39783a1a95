/* Names: what the template and the sanitiser make of URLs and of names in lists, as tables; and
 * that two raw names never meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "sink/name.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
#define X243 X200 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* `want` NULL: NAME, with `said` in the message. */
static void expect(const struct strbuf *out, status st, const error *err, const char *raw,
                   const char *want, const char *said)
{
    if (want) {
        if (st || strcmp(strbuf_text(out), want))
            fail_msg("%s: wanted %s, got %s (%s)", raw, want, strbuf_text(out), err->message);
        return;
    }
    if (st != WEIR_NAME || err->status != WEIR_NAME || !strstr(err->message, said))
        fail_msg("%s: wanted an error with \"%s\", got status %d: %s", raw, said, (int)st,
                 err->message);
}

static void names_of_lists_are_sanitised(void **state)
{
    static const struct {
        const char *raw, *want, *said;
    } rows[] = {
        {"a.txt", "a.txt", NULL},
        {"a/b/c.txt", "a/b/c.txt", NULL},
        {".bashrc", ".bashrc", NULL},
        {"...", "...", NULL},
        {"..a", "..a", NULL},
        {"a b\\c:d*?\"<>|", "a b\\c:d*?\"<>|", NULL},
        {"-rf", "-rf", NULL},
        {"~", "~", NULL},
        {"a\nb\tc\x1b[31m\x7f", "a%0Ab%09c%1B[31m%7F", NULL},
        {"\xc2\x9b"
         "31m",
         "%C2%9B31m", NULL},
        {"\xc2\xa0\xc3\xa4", "\xc2\xa0\xc3\xa4", NULL},
        {"latin-\xe4\xff", "latin-\xe4\xff", NULL},
        {"%", "%", NULL},
        {"100%", "100%", NULL},
        {"%4", "%4", NULL},
        {"%zz", "%zz", NULL},
        {"a%20b", "a%2520b", NULL},
        {"%2e%2E", "%252e%252E", NULL},
        {"%%20", "%%2520", NULL},
        {"x.part", "x%2Epart", NULL},
        {"x.part/y", "x%2Epart/y", NULL},
        {"x.part.resume", "x.part%2Eresume", NULL},
        {".part", "%2Epart", NULL},
        {"part", "part", NULL},
        {"x.PART", "x.PART", NULL},
        {"x.part.y", "x.part.y", NULL},
        {"x.part.part", "x.part%2Epart", NULL},
        {"a//b", "a/%2E/b", NULL},
        {X243, X243, NULL},
        {X200 X50 "xxxxx/f", X200 X50 "xxxxx/f", NULL},
        {"", NULL, "empty"},
        {"/etc/passwd", NULL, "/etc/passwd"},
        {"/", NULL, "absolute"},
        {"..", NULL, "\"..\""},
        {".", NULL, "\".\""},
        {"../x", NULL, "../x"},
        {"a/../b", NULL, "a/../b"},
        {"a/./b", NULL, "a/./b"},
        {"a/..", NULL, "a/.."},
        {"a/", NULL, "folder"},
        {X243 "x", NULL, "243"},
        {X200 X50 "xxxxxx/f", NULL, "255"},
    };
    struct strbuf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error err = {0};
        strbuf_clear(&out);
        status st = name_sanitise(&out, span_of(rows[i].raw), &err);
        expect(&out, st, &err, rows[i].raw, rows[i].want, rows[i].said);
    }
    error err = {0};
    strbuf_clear(&out);
    assert_int_equal(name_sanitise(&out, (struct span){"a\0b", 3}, &err), OK);
    assert_string_equal(out.p, "a%00b");
    strbuf_free(&out);
}

static void long_paths_are_refused(void **state)
{
    struct strbuf raw = {0}, out = {0};
    error err;
    while (raw.n + 100 < 4083)
        strbuf_adds(&raw, X50 "/");
    while (raw.n < 4083)
        strbuf_addc(&raw, 'y');
    assert_int_equal(name_sanitise(&out, (struct span){raw.p, raw.n}, &err), OK);
    strbuf_addc(&raw, 'y');
    strbuf_clear(&out);
    assert_int_equal(name_sanitise(&out, (struct span){raw.p, raw.n}, &err), WEIR_NAME);
    assert_non_null(strstr(err.message, "4083"));
    strbuf_free(&raw);
    strbuf_free(&out);
}

/* Undoes every escape: that this gives the raw name back is what makes the sanitiser injective. */
static void undo(const char *name, struct strbuf *raw)
{
    for (const char *p = name; *p; p++) {
        if (*p == '%' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0) {
            strbuf_addc(raw, (char)(hex_value(p[1]) * 16 + hex_value(p[2])));
            p += 2;
        } else {
            strbuf_addc(raw, *p);
        }
    }
}

static size_t random_raw(struct rng *rng, char *raw, size_t max)
{
    static const char *const pieces[] = {
        "a",  "4",    "1",    "%",    "%4", "%2E", ".",      ".part", ".resume", "/",
        "\n", "\x7f", "\xc2", "\x85", "F",  "2",   "x.part", "\xff",  "?",       "%25"};
    size_t n = 0;
    for (uint64_t k = 1 + rng_below(rng, 5); k > 0; k--) {
        const char *piece = pieces[rng_below(rng, sizeof pieces / sizeof *pieces)];
        if (n + strlen(piece) > max)
            break;
        memcpy(raw + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

static void two_raw_names_never_meet(void **state)
{
    struct rng rng;
    struct strbuf a = {0}, b = {0}, back = {0};
    size_t accepted = 0;
    rng_seed(&rng, 5);
    for (int round = 0; round < 300000; round++) {
        char raw[2][64];
        size_t n[2];
        error err;
        strbuf_clear(&a);
        strbuf_clear(&b);
        for (int k = 0; k < 2; k++)
            n[k] = random_raw(&rng, raw[k], sizeof raw[k]);
        bool ok[2] = {!name_sanitise(&a, (struct span){raw[0], n[0]}, &err),
                      !name_sanitise(&b, (struct span){raw[1], n[1]}, &err)};
        bool same = n[0] == n[1] && !memcmp(raw[0], raw[1], n[0]);
        if (ok[0] && ok[1] && (strcmp(a.p, b.p) == 0) != same)
            fail_msg("\"%.*s\" and \"%.*s\" both became \"%s\"", (int)n[0], raw[0], (int)n[1],
                     raw[1], a.p);
        if (!ok[0])
            continue;
        accepted++;
        for (const char *p = a.p; *p; p++)
            assert_false((unsigned char)*p < 0x20 || *p == 0x7f);
        assert_null(strstr(a.p, "//"));
        size_t length = strlen(a.p);
        assert_false(length >= 5 && !strcmp(a.p + length - 5, ".part"));
        strbuf_clear(&back);
        undo(a.p, &back);
        if (!memmem(raw[0], n[0], "//", 2))
            assert_true(back.n == n[0] && !memcmp(back.p, raw[0], n[0]));
    }
    assert_true(accepted > 100000);
    strbuf_free(&a);
    strbuf_free(&b);
    strbuf_free(&back);
}

static void templates_are_checked_before_the_run(void **state)
{
    static const struct {
        const char *tmpl, *said; /* NULL: good */
    } rows[] = {
        {"{basename}", NULL},
        {"{host}/{path}", NULL},
        {"{id}-{index}.{hash}.tar", NULL},
        {"fixed.bin", NULL},
        {"", "empty"},
        {"{name}", "character 1"},
        {"a-{Host}", "character 3"},
        {"{host", "character 1"},
        {"host}", "'}' without '{' at character 5"},
        {"{}", "character 1"},
        {"/tmp/{basename}", "absolute"},
        {"../{basename}", "\"..\""},
        {"{host}/./{path}", "\".\""},
        {"{host}//{path}", "empty component at character 8"},
        {"{host}/", "empty component at character 8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error err = {0};
        status st = name_template_check(rows[i].tmpl, &err);
        if (rows[i].said ? st != WEIR_CONFIG || !strstr(err.message, rows[i].said) : st != OK)
            fail_msg("%s: status %d, %s", rows[i].tmpl, (int)st, err.message);
    }
}

static void urls_become_names(void **state)
{
    static const struct {
        const char *tmpl;
        bool tree;
        int cut_dirs;
        const char *host;
        uint32_t port;
        const char *path, *query, *id, *want, *said;
    } rows[] = {
        {"{basename}", 0, 0, "h", 0, "/a/b.txt", "x=1", "", "b.txt", NULL},
        {"{basename}", 0, 0, "h", 0, "/", "", "", "index.html", NULL},
        {"{basename}", 0, 0, "h", 0, "/a/", "", "", "index.html", NULL},
        {"{basename}", 0, 0, "h", 0, "/a%20b.txt", "", "", "a b.txt", NULL},
        {"{basename}", 0, 0, "h", 0, "/a%2Fb.txt", "", "", "a%2Fb.txt", NULL},
        {"{basename}", 0, 0, "h", 0, "/a%2fb.txt", "", "", "a%2Fb.txt", NULL},
        {"{basename}", 0, 0, "h", 0, "/a%252Fb.txt", "", "", "a%252Fb.txt", NULL},
        {"{basename}", 0, 0, "h", 0, "/%C3%A4%FF", "", "", "\xc3\xa4\xff", NULL},
        {"{basename}", 0, 0, "h", 0, "/a%00b%0A", "", "", "a%00b%0A", NULL},
        {"{basename}", 0, 0, "h", 0, "/x%2Epart", "", "", "x%2Epart", NULL},
        {"{basename}", 0, 0, "h", 0, "/100%", "", "", "100%", NULL},
        {"{basename}", 0, 0, "h", 0, "/x/%2e%2e", "", "", NULL, "\"..\""},
        {"{basename}", 0, 0, "h", 0, "/x/.%2E", "", "", NULL, "\"..\""},
        {"{basename}", 0, 0, "h", 0, "/%2F..", "", "", "%2F..", NULL},
        {"{path}", 0, 0, "h", 0, "/a/b/c", "", "", "a/b/c", NULL},
        {"{path}", 0, 0, "h", 0, "/a/%2e%2e/c", "", "", NULL, "\"..\""},
        {"{path}", 0, 0, "h", 0, "/a/b/", "", "", "a/b/index.html", NULL},
        {"{path}", 0, 0, "h", 0, "//a//b", "", "", "%2E/a/%2E/b", NULL},
        {"{path}", 0, 1, "h", 0, "/a/b/c", "", "", "b/c", NULL},
        {"{path}", 0, 2, "h", 0, "/a/b/c", "", "", "c", NULL},
        {"{path}", 0, 9, "h", 0, "/a/b/c", "", "", "c", NULL},
        {"{path}", 0, 1, "h", 0, "/a/", "", "", "index.html", NULL},
        {"{path}", 0, 0, "h", 0, "/a%3Fb", "q", "", "a?b", NULL},
        {"{host}/{path}", 0, 0, "h", 81, "/a", "q", "", "h/a", NULL},
        {"{host}/{path}", 1, 0, "h", 0, "/a", "", "", "h/a", NULL},
        {"{host}/{path}", 1, 0, "h", 81, "/a", "q=1", "", "h:81/a?q=1", NULL},
        {"{host}/{path}", 1, 0, "h", 0, "/a", "u=x/y%2Fz", "", "h/a?u=x%2Fy%252Fz", NULL},
        {"{host}/{path}", 1, 0, "h", 0, "/a%3Fq", "", "", "h/a%3Fq", NULL},
        {"{host}/{path}", 1, 0, "h", 0, "/a/", "q", "", "h/a/index.html?q", NULL},
        {"{host}/{path}", 1, 1, "h", 0, "/a/b", "", "", "h/b", NULL},
        {"{host}/{path}", 1, 0, "::1", 81, "/a", "", "", "[::1]:81/a", NULL},
        {"{host}/{path}", 1, 0, "[::1]", 81, "/a", "", "", "[::1]:81/a", NULL},
        {"{index}.bin", 0, 0, "h", 0, "/a", "", "", "7.bin", NULL},
        {"{id}.bin", 0, 0, "h", 0, "/a", "", "k/1", "k%2F1.bin", NULL},
        {"{id}", 0, 0, "h", 0, "/a", "", "..", NULL, "\"..\""},
        {"{id}", 0, 0, "h", 0, "/a", "", "", NULL, "no id"},
        {"x/{basename}", 0, 0, "h", 0, "/a", "", "", "x/a", NULL},
        /* pieces that meet are looked at together */
        {"%4{index}", 0, 0, "h", 0, "/a", "", "", "%2547", NULL},
    };
    struct strbuf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct name_parts parts = {.host = span_of(rows[i].host),
                                   .port = rows[i].port,
                                   .path = span_of(rows[i].path),
                                   .query = span_of(rows[i].query),
                                   .id = span_of(rows[i].id),
                                   .index = 7,
                                   .url = "http://h/a"};
        error err = {0};
        strbuf_clear(&out);
        status st = name_expand(&out, rows[i].tmpl, rows[i].tree, rows[i].cut_dirs, &parts, &err);
        expect(&out, st, &err, rows[i].path, rows[i].want, rows[i].said);
    }
    struct name_parts parts = {.path = span_of("/a"), .url = "http://h/a"};
    error err;
    strbuf_clear(&out);
    assert_int_equal(name_expand(&out, "{hash}", false, 0, &parts, &err), OK);
    assert_int_equal(out.n, 16);
    strbuf_free(&out);
}

static void marks_go_before_the_extension(void **state)
{
    static const struct {
        const char *name, *numbered;
    } rows[] = {
        {"a.txt", "a.3.txt"},
        {"a", "a.3"},
        {".bashrc", ".bashrc.3"},
        {"d.x/a", "d.x/a.3"},
        {"d.x/a.tar.gz", "d.x/a.tar.3.gz"},
        {"a.", "a.3."},
        {X243, X200 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.3"},
    };
    struct strbuf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strbuf_clear(&out);
        name_with_number(&out, rows[i].name, 3);
        assert_string_equal(out.p, rows[i].numbered);
    }
    strbuf_clear(&out);
    name_with_hash(&out, "d/a.txt", "http://h/a.txt");
    assert_int_equal(out.n, strlen("d/a~01234567.txt"));
    assert_memory_equal(out.p, "d/a~", 4);
    assert_string_equal(out.p + 12, ".txt");
    strbuf_free(&out);
}

/* Whatever the name: the marked one may still be used, and is not cut within a character. */
static void marked_names_stay_usable(void **state)
{
    struct strbuf name = {0}, out = {0}, again = {0};
    for (int round = 0; round < 300; round++) {
        error err;
        strbuf_clear(&name);
        for (int i = 0; i < 80; i++)
            strbuf_adds(&name, "\xe2\x82\xac"); /* 240 bytes */
        for (int i = 0; i < round % 4; i++)
            strbuf_addc(&name, 'y');
        if (round >= 4)
            name.p[round % 240] = '.';
        strbuf_clear(&out);
        name_with_hash(&out, name.p, "http://h/");
        strbuf_clear(&again);
        if (name_sanitise(&again, (struct span){out.p, out.n}, &err))
            fail_msg("%s: %s", out.p, err.message);
        assert_true(out.n <= 243);
        const char *mark = strchr(out.p, '~');
        assert_non_null(mark);
        if (round < 4)
            for (const char *p = out.p; p < mark; p += utf8_length(p, (size_t)(mark - p)))
                assert_true(utf8_length(p, (size_t)(mark - p)) > 0);
    }
    strbuf_free(&name);
    strbuf_free(&out);
    strbuf_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_lists_are_sanitised),
        cmocka_unit_test(long_paths_are_refused),
        cmocka_unit_test(two_raw_names_never_meet),
        cmocka_unit_test(templates_are_checked_before_the_run),
        cmocka_unit_test(urls_become_names),
        cmocka_unit_test(marks_go_before_the_extension),
        cmocka_unit_test(marked_names_stay_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
