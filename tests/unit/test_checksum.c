/* Checksums: published values, any chunking, lists, names, and the header fields of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/checksum.h"
#include "core/clock.h"
#include "core/crc32c.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void value_of(enum checksum_kind kind, const void *data, size_t size, struct checksum *out)
{
    struct checksum_state *s = checksum_start(kind);
    assert_non_null(s);
    checksum_add(s, data, size);
    checksum_value(s, out);
    checksum_free(s);
}

static const char *hex_of(const struct checksum *c)
{
    static char hex[2 * CHECKSUM_MAX + 1];
    checksum_hex(c, hex);
    return hex;
}

/* RFC 1321 A.5, FIPS 180-4's examples (csrc.nist.gov), RFC 3720 B.4. */
static const struct {
    enum checksum_kind kind;
    const char *text, *hex;
} published[] = {
    {CHECKSUM_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
    {CHECKSUM_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {CHECKSUM_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {CHECKSUM_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {CHECKSUM_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {CHECKSUM_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {CHECKSUM_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {CHECKSUM_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {CHECKSUM_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "b"
     "bd454d4423643ce80e2a9ac94fa54ca49f"},
    {CHECKSUM_CRC32C, "", "00000000"},
    {CHECKSUM_CRC32C, "123456789", "e3069283"},
};

static void published_values_come_out(void **state)
{
    for (size_t i = 0; i < COUNT(published); i++) {
        struct checksum c;
        value_of(published[i].kind, published[i].text, strlen(published[i].text), &c);
        assert_string_equal(hex_of(&c), published[i].hex);
        assert_int_equal(strlen(published[i].hex), 2 * checksum_size(published[i].kind));
    }
}

/* RFC 3720 B.4 prints the bytes of the wire, the lowest first. */
static void crc32c_of_the_standard(void **state)
{
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    const struct {
        const unsigned char *data;
        uint32_t crc;
    } rows[] = {{zeros, 0x8a9136aa}, {ones, 0x62a8ab43}, {up, 0x46dd794e}, {down, 0x113fdb5c}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(crc32c_add(0, rows[i].data, 32), rows[i].crc);
        assert_int_equal(crc32c_add_by_table(0, rows[i].data, 32), rows[i].crc);
    }
}

static void crc32c_by_table_and_by_library_agree(void **state)
{
    unsigned char data[700];
    struct rng rng;
    rng_seed(&rng, 3);
    for (int round = 0; round < 2000; round++) {
        size_t n = rng_below(&rng, sizeof data), from = rng_below(&rng, 16);
        for (size_t i = 0; i < n; i++)
            data[i] = (unsigned char)rng_next(&rng);
        from = from < n ? from : n;
        uint32_t start = (uint32_t)rng_next(&rng);
        assert_int_equal(crc32c_add(start, data + from, n - from),
                         crc32c_add_by_table(start, data + from, n - from));
    }
}

static void any_chunking_gives_the_same(void **state)
{
    unsigned char data[5000];
    struct rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)rng_next(&rng);
    for (int kind = 0; kind < CHECKSUM_KINDS; kind++) {
        struct checksum whole, parts;
        value_of((enum checksum_kind)kind, data, sizeof data, &whole);
        struct checksum_state *s = checksum_start((enum checksum_kind)kind);
        for (int round = 0; round < 20; round++) {
            assert_true(checksum_restart(s));
            for (size_t at = 0; at < sizeof data;) {
                size_t n = rng_below(&rng, 400);
                n = n < sizeof data - at ? n : sizeof data - at;
                checksum_add(s, data + at, n);
                at += n;
                checksum_value(s, &parts); /* asking changes nothing */
            }
            assert_true(checksum_equal(&whole, &parts));
        }
        checksum_free(s);
    }
}

static void copy_goes_its_own_way(void **state)
{
    for (int kind = 0; kind < CHECKSUM_KINDS; kind++) {
        struct checksum ab, abc, abd, got;
        value_of((enum checksum_kind)kind, "ab", 2, &ab);
        value_of((enum checksum_kind)kind, "abc", 3, &abc);
        value_of((enum checksum_kind)kind, "abd", 3, &abd);
        struct checksum_state *s = checksum_start((enum checksum_kind)kind);
        checksum_add(s, "ab", 2);
        struct checksum_state *copy = checksum_copy(s);
        checksum_add(s, "c", 1);
        checksum_value(copy, &got);
        assert_true(checksum_equal(&got, &ab));
        checksum_add(copy, "d", 1);
        checksum_value(s, &got);
        assert_true(checksum_equal(&got, &abc));
        checksum_value(copy, &got);
        assert_true(checksum_equal(&got, &abd));
        checksum_free(s);
        checksum_free(copy);
    }
    checksum_free(NULL);
}

static void names_in_any_usual_writing(void **state)
{
    const struct {
        const char *name;
        int kind; /* -1: none */
    } rows[] = {
        {"sha256", CHECKSUM_SHA256},
        {"SHA-256", CHECKSUM_SHA256},
        {"sha_256", CHECKSUM_SHA256},
        {"SHA2-256", CHECKSUM_SHA256},
        {"Sha512", CHECKSUM_SHA512},
        {"SHA-1", CHECKSUM_SHA1},
        {"md5", CHECKSUM_MD5},
        {"MD5", CHECKSUM_MD5},
        {"crc32c", CHECKSUM_CRC32C},
        {"CRC-32C", CHECKSUM_CRC32C},
        {"crc32", -1},
        {"sha", -1},
        {"sha3-256", -1},
        {"sha512-256", -1},
        {"", -1},
        {"sha256 ", -1},
        {"a-name-that-is-too-long", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum checksum_kind kind;
        bool found = checksum_named(span_of(rows[i].name), &kind);
        assert_int_equal(found ? (int)kind : -1, rows[i].kind);
    }
    for (int kind = 0; kind < CHECKSUM_KINDS; kind++) {
        enum checksum_kind back;
        assert_true(checksum_named(span_of(checksum_name((enum checksum_kind)kind)), &back));
        assert_int_equal(back, kind);
    }
}

static void kinds_by_number_of_digits(void **state)
{
    const int rows[][2] = {{32, CHECKSUM_MD5},
                           {40, CHECKSUM_SHA1},
                           {64, CHECKSUM_SHA256},
                           {128, CHECKSUM_SHA512},
                           {8, -1},
                           {0, -1},
                           {63, -1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum checksum_kind kind;
        bool found = checksum_of_digits((size_t)rows[i][0], &kind);
        assert_int_equal(found ? (int)kind : -1, rows[i][1]);
    }
}

static void digits_are_read_and_written(void **state)
{
    struct checksum c;
    error err;
    assert_int_equal(checksum_parse(&c, CHECKSUM_CRC32C, span_of("E3069283"), &err), OK);
    assert_string_equal(hex_of(&c), "e3069283");
}

static void bad_digits_are_refused_with_the_reason(void **state)
{
    const struct {
        enum checksum_kind kind;
        const char *hex, *says;
    } rows[] = {
        {CHECKSUM_MD5, "", "md5: \"\" has 0 hexadecimal digits; write 32"},
        {CHECKSUM_MD5, "900150983cd24fb0d6963f7d28e17f7", "has 31 hexadecimal digits; write 32"},
        {CHECKSUM_CRC32C, "e30692830", "has 9 hexadecimal digits; write 8"},
        {CHECKSUM_CRC32C, "e306928g", "\"g\", which is no hexadecimal digit; write 8 of"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct checksum c = {.kind = CHECKSUM_SHA1};
        error err;
        assert_int_equal(checksum_parse(&c, rows[i].kind, span_of(rows[i].hex), &err), WEIR_INPUT);
        assert_non_null(strstr(err.message, rows[i].says));
        assert_int_equal(c.kind, CHECKSUM_SHA1);
    }
    char *endless = malloc(100000);
    memset(endless, 'a', 100000);
    struct checksum c;
    error err;
    assert_int_equal(checksum_parse(&c, CHECKSUM_SHA512, (struct span){endless, 100000}, &err),
                     WEIR_INPUT);
    assert_non_null(strstr(err.message, "100000 hexadecimal digits; write 128"));
    free(endless);
}

static void equal_only_of_one_kind(void **state)
{
    struct checksum a = {.kind = CHECKSUM_CRC32C}, b = a;
    assert_true(checksum_equal(&a, &b));
    b.value[3] = 1;
    assert_false(checksum_equal(&a, &b));
    b = a;
    b.value[4] = 1; /* not part of it */
    assert_true(checksum_equal(&a, &b));
    b.kind = CHECKSUM_MD5;
    assert_false(checksum_equal(&a, &b));
}

/* ---- lists ---- */

static void lists_are_in_order_whatever_came_first(void **state)
{
    const enum checksum_kind order[] = {CHECKSUM_SHA256, CHECKSUM_CRC32C, CHECKSUM_SHA512,
                                        CHECKSUM_MD5, CHECKSUM_SHA1};
    struct strbuf list = {0};
    struct checksum c, first[CHECKSUM_KINDS];
    error err;
    for (size_t i = 0; i < COUNT(order); i++) {
        value_of(order[i], "abc", 3, &c);
        first[order[i]] = c;
        assert_int_equal(checksum_list_add(&list, &c, &err), OK);
        assert_int_equal(checksum_list_add(&list, &c, &err), OK); /* once more says nothing new */
        assert_int_equal(list.p[list.n - 1], '\0');
    }
    strbuf_addc(&list, '\0');
    const char *at = list.p;
    for (int kind = 0; kind < CHECKSUM_KINDS; kind++) {
        assert_true(checksum_list_next(&at, &c));
        assert_int_equal(c.kind, kind);
        assert_true(checksum_equal(&c, &first[kind]));
    }
    assert_false(checksum_list_next(&at, &c));
    assert_ptr_equal(at, list.p + list.n - 1);
    assert_true(checksum_list_strongest(list.p, &c));
    assert_int_equal(c.kind, CHECKSUM_SHA512);
    strbuf_free(&list);
}

static void two_values_of_one_kind_are_refused(void **state)
{
    struct strbuf list = {0};
    struct checksum a, b;
    error err;
    value_of(CHECKSUM_MD5, "a", 1, &a);
    value_of(CHECKSUM_MD5, "b", 1, &b);
    assert_int_equal(checksum_list_add(&list, &a, &err), OK);
    size_t n = list.n;
    assert_int_equal(checksum_list_add(&list, &b, &err), WEIR_INPUT);
    assert_non_null(strstr(err.message, hex_of(&a)));
    assert_non_null(strstr(err.message, hex_of(&b)));
    assert_int_equal(list.n, n);
    strbuf_free(&list);
}

static void list_that_may_not_grow_is_said(void **state)
{
    struct strbuf list = {.max = 20};
    struct checksum c;
    error err;
    value_of(CHECKSUM_MD5, "a", 1, &c);
    assert_int_equal(checksum_list_add(&list, &c, &err), WEIR_NOMEM);
    strbuf_free(&list);
}

static void no_list_has_no_strongest(void **state)
{
    struct checksum c;
    const char *none = NULL;
    assert_false(checksum_list_strongest(NULL, &c));
    assert_false(checksum_list_strongest("", &c));
    assert_false(checksum_list_next(&none, &c));
}

/* ---- header fields ---- */

#define ABC_MD5 "kAFQmDzST7DWlj99KOF/cg=="
#define ABC_SHA1 "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
#define ABC_SHA256 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define EMPTY_SHA256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define ABC_SHA512                                                                                 \
    "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="

static const struct {
    const char *field;
    int kind; /* -1: nothing can be read */
    const char *of;
} fields[] = {
    /* RFC 9530 */
    {"sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"sha-256=:" ABC_SHA256 ":, sha-512=:" ABC_SHA512 ":", CHECKSUM_SHA512, "abc"},
    {"sha-512=:" ABC_SHA512 ":,sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA512, "abc"},
    {"md5=:" ABC_MD5 ":", CHECKSUM_MD5, "abc"},
    {"sha=:" ABC_SHA1 ":", CHECKSUM_SHA1, "abc"},
    {"crc32c=:4waSgw==:", CHECKSUM_CRC32C, "123456789"},
    {"  sha-256=:" ABC_SHA256 ":;odd=\"a,b\";x  ", CHECKSUM_SHA256, "abc"},
    {"unixsum=:MjA=:, sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"note=\"a, sha-512=:\\\" , b\", sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"x=\"a, sha-256=:" EMPTY_SHA256 ":, b\", md5=:" ABC_MD5 ":", CHECKSUM_MD5, "abc"},
    {"sha-256=:" EMPTY_SHA256 ":, sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0:", CHECKSUM_SHA256, "abc"},
    /* RFC 3230 */
    {"SHA-256=" ABC_SHA256, CHECKSUM_SHA256, "abc"},
    {"SHA=" ABC_SHA1 ",MD5=" ABC_MD5, CHECKSUM_SHA1, "abc"},
    {"UNIXsum=30637 , sha-256=" ABC_SHA256, CHECKSUM_SHA256, "abc"},
    /* malformed ones are passed over */
    {"sha-512=:AAAA:, sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"sha-512=:" ABC_SHA512 ", sha-256=:" ABC_SHA256 ":", CHECKSUM_SHA256, "abc"},
    {"", -1, NULL},
    {",,,", -1, NULL},
    {"sha-256", -1, NULL},
    {"sha-256=", -1, NULL},
    {"sha-256=::", -1, NULL},
    {"sha-256=:", -1, NULL},
    {"=:" ABC_SHA256 ":", -1, NULL},
    {"sha-256=:" ABC_MD5 ":", -1, NULL},
    {"sha-256=:" ABC_SHA512 ":", -1, NULL},
    {"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0===:", -1, NULL},
    {"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=:", -1, NULL},
    {"sha-256=:ungWv48Bz+pBQUDe Xa4iI7ADYaOWF3qctBD/YfIAFa0=:", -1, NULL},
    {"sha-256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", -1, NULL},
    {"x=\"sha-256=:" ABC_SHA256 ":", -1, NULL},
    {"id-sha-256=:" ABC_SHA256 ":", -1, NULL},
};

static void digest_fields_are_read_as_far_as_they_make_sense(void **state)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct checksum got, want;
        bool any = checksum_from_repr_digest(span_of(fields[i].field), &got);
        if (any != (fields[i].kind >= 0))
            print_error("%s\n", fields[i].field);
        assert_int_equal(any, fields[i].kind >= 0);
        if (!any)
            continue;
        assert_int_equal(got.kind, fields[i].kind);
        value_of(got.kind, fields[i].of, strlen(fields[i].of), &want);
        assert_true(checksum_equal(&got, &want));
    }
}

static void content_md5_is_base64_of_sixteen_bytes(void **state)
{
    struct checksum c;
    assert_true(checksum_from_content_md5(span_of(" " ABC_MD5 " "), &c));
    assert_string_equal(hex_of(&c), "900150983cd24fb0d6963f7d28e17f72");
    assert_int_equal(c.kind, CHECKSUM_MD5);
    assert_false(checksum_from_content_md5(span_of(ABC_SHA1), &c));
    assert_false(checksum_from_content_md5(span_of("900150983cd24fb0d6963f7d28e17f72"), &c));
    assert_false(checksum_from_content_md5(span_of(""), &c));
    assert_false(checksum_from_content_md5((struct span){0}, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(crc32c_of_the_standard),
        cmocka_unit_test(crc32c_by_table_and_by_library_agree),
        cmocka_unit_test(any_chunking_gives_the_same),
        cmocka_unit_test(copy_goes_its_own_way),
        cmocka_unit_test(names_in_any_usual_writing),
        cmocka_unit_test(kinds_by_number_of_digits),
        cmocka_unit_test(digits_are_read_and_written),
        cmocka_unit_test(bad_digits_are_refused_with_the_reason),
        cmocka_unit_test(equal_only_of_one_kind),
        cmocka_unit_test(lists_are_in_order_whatever_came_first),
        cmocka_unit_test(two_values_of_one_kind_are_refused),
        cmocka_unit_test(list_that_may_not_grow_is_said),
        cmocka_unit_test(no_list_has_no_strongest),
        cmocka_unit_test(digest_fields_are_read_as_far_as_they_make_sense),
        cmocka_unit_test(content_md5_is_base64_of_sixteen_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
