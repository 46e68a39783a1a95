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

/* With 48 bits of a name, one false hit in a million claims has a chance of 0.2 %; these names are
 * always the same, and have none. */
static void million_names_stay_within_16_bytes_each(void **state)
{
    enum { COUNT = 1000000 };
    struct name_set *s = name_set_new();
    char name[64], url[96];
    for (unsigned i = 0; i < COUNT; i++) {
        make(name, url, i);
        if (name_set_claim(s, name, url) != NAME_FREE)
            fail_msg("name %u was not free", i);
        if (i + 1 >= 100000 && name_set_bytes(s) > 16 * (size_t)(i + 1) + 65536)
            fail_msg("%u names took %zu bytes", i + 1, name_set_bytes(s));
    }
    assert_in_range(name_set_bytes(s), 12 * COUNT, 16 * COUNT + 65536);
    for (unsigned i = 0; i < COUNT; i += 7) {
        make(name, url, i);
        assert_int_equal(name_set_claim(s, name, url), NAME_SAME_URL);
        assert_int_equal(name_set_claim(s, name, "https://elsewhere.example/x"), NAME_TAKEN);
    }
    name_set_free(s);
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
        cmocka_unit_test(million_names_stay_within_16_bytes_each),
        cmocka_unit_test(small_set_is_small),
        cmocka_unit_test(same_list_gives_the_same_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
