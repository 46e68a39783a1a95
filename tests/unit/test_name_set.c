/* The set of taken names: claims are right, the same in every run, and cost what they may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/name.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

static void claims_tell_free_same_and_taken(void **state)
{
    struct name_set *s = name_set_new();
    assert_int_equal(name_set_claim(s, "a.txt", "http://h/a.txt"), NAME_FREE);
    assert_int_equal(name_set_claim(s, "a.txt", "http://h/a.txt"), NAME_SAME_URL);
    assert_int_equal(name_set_claim(s, "a.txt", "http://i/a.txt"), NAME_TAKEN);
    assert_int_equal(name_set_claim(s, "a.txt", "http://h/a.txt"), NAME_SAME_URL);
    assert_int_equal(name_set_claim(s, "b.txt", "http://h/a.txt"), NAME_FREE);
    assert_int_equal(name_set_claim(s, "", ""), NAME_FREE);
    assert_int_equal(name_set_claim(s, "", ""), NAME_SAME_URL);
    name_set_free(s);
    name_set_free(NULL);
}

static void make(char name[64], char url[96], unsigned i)
{
    snprintf(name, 64, "shard-%07u.tar", i);
    snprintf(url, 96, "https://data.example.org/set/%u/shard-%07u.tar", i % 97, i);
}

#define MILLION 1000000u

/* With 48 bits of a name, one false hit in a million claims has a chance of 0.2 %; these names are
 * always the same, and have none. */
static void million_names_stay_within_13_bytes_each(void **state)
{
    struct name_set *s = name_set_new();
    char name[64], url[96];
    for (unsigned i = 0; i < MILLION; i++) {
        make(name, url, i);
        if (name_set_claim(s, name, url) != NAME_FREE)
            fail_msg("name %u was not free", i);
        if (name_set_bytes(s) > 13 * (size_t)(i + 1) + 65536)
            fail_msg("%u names took %zu bytes", i + 1, name_set_bytes(s));
    }
    assert_in_range(name_set_bytes(s), 11 * MILLION, 13 * MILLION + 65536);
    for (unsigned i = 0; i < MILLION; i += 7) {
        make(name, url, i);
        assert_int_equal(name_set_claim(s, name, url), NAME_SAME_URL);
        assert_int_equal(name_set_claim(s, name, "https://elsewhere.example/x"), NAME_TAKEN);
    }
    name_set_free(s);
}

static void assert_claim(struct name_set *s, const char *name, const char *url, int wanted)
{
    int got = name_set_claim(s, name, url);
    if (got != wanted)
        fail_msg("the claim of %s for %s gave %d, wanted %d", name, url, got, wanted);
}

/* Names whose hashes lie close together push others far away from where these belong, at one place
 * over the end of the table; everybody must be found again, and nobody twice. */
static void crowded_names_are_all_found_again(void **state)
{
    static const uint64_t crowds[] = {0x00, 0x01, 0x7f, 0xfe, 0xff}; /* bits 40..47 of a hash */
    enum { COUNT = 20000, IN_CROWD = 1500 };
    char(*names)[16] = calloc(COUNT, sizeof *names);
    assert_non_null(names);
    for (size_t c = 0; c < sizeof crowds / sizeof *crowds; c++) {
        struct name_set *s = name_set_new();
        unsigned count = 0, crowd = 0;
        for (unsigned i = 0; crowd < IN_CROWD; i++) {
            int length = snprintf(names[count], sizeof *names, "crowd-%u", i);
            uint64_t hash = hash64(names[count], (size_t)length);
            bool belongs = (hash >> 40 & 0xff) == crowds[c];
            if (!belongs && (i % 32 || count - crowd == COUNT - IN_CROWD))
                continue;
            assert_claim(s, names[count], names[count], NAME_FREE);
            assert_claim(s, names[count / 2], names[count / 2], NAME_SAME_URL);
            crowd += belongs;
            count++;
        }
        for (unsigned i = 0; i < count; i++) {
            assert_claim(s, names[i], names[i], NAME_SAME_URL);
            assert_claim(s, names[i], "http://i/", NAME_TAKEN);
        }
        name_set_free(s);
    }
    free(names);
}

struct numbered {
    uint32_t part; /* 24 bits of the URL's hash */
    uint32_t number;
};

static int by_part(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return (x->part > y->part) - (x->part < y->part);
}

/* Pairs of URLs whose hashes agree in one half of what is kept of them: the other half decides. */
static void both_halves_of_a_url_hash_count(void **state)
{
    enum { COUNT = 20000 };
    struct numbered *urls = calloc(COUNT, sizeof *urls);
    char one[32], other[32];
    assert_non_null(urls);
    for (unsigned shift = 0; shift <= 24; shift += 24) {
        for (uint32_t i = 0; i < COUNT; i++) {
            int length = snprintf(one, sizeof one, "http://h/%u/index.html", i);
            urls[i].part = (uint32_t)(hash64(one, (size_t)length) >> shift & 0xffffff);
            urls[i].number = i;
        }
        qsort(urls, COUNT, sizeof *urls, by_part);
        struct name_set *s = name_set_new();
        unsigned pairs = 0;
        for (unsigned i = 1; i < COUNT; i++) {
            if (urls[i].part != urls[i - 1].part)
                continue;
            char name[16];
            snprintf(name, sizeof name, "name-%u", pairs++);
            snprintf(one, sizeof one, "http://h/%u/index.html", urls[i].number);
            snprintf(other, sizeof other, "http://h/%u/index.html", urls[i - 1].number);
            assert_claim(s, name, one, NAME_FREE);
            assert_claim(s, name, other, NAME_TAKEN);
            assert_claim(s, name, one, NAME_SAME_URL);
        }
        assert_in_range(pairs, 3, COUNT);
        name_set_free(s);
    }
    free(urls);
}

static void small_set_is_small(void **state)
{
    struct name_set *s = name_set_new();
    char name[64], url[96];
    for (unsigned i = 0; i < 10; i++) {
        make(name, url, i);
        assert_int_equal(name_set_claim(s, name, url), NAME_FREE);
    }
    assert_in_range(name_set_bytes(s), 1, 16384);
    name_set_free(s);
}

static void same_list_gives_the_same_claims(void **state)
{
    struct name_set *a = name_set_new(), *b = name_set_new();
    char name[64], url[96];
    for (unsigned i = 0; i < 50000; i++) {
        make(name, url, i % 30011);
        name[10] = '\0'; /* many names meet */
        assert_int_equal(name_set_claim(a, name, url), name_set_claim(b, name, url));
    }
    assert_int_equal(name_set_bytes(a), name_set_bytes(b));
    name_set_free(a);
    name_set_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_tell_free_same_and_taken),
        cmocka_unit_test(million_names_stay_within_13_bytes_each),
        cmocka_unit_test(crowded_names_are_all_found_again),
        cmocka_unit_test(both_halves_of_a_url_hash_count),
        cmocka_unit_test(small_set_is_small),
        cmocka_unit_test(same_list_gives_the_same_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
