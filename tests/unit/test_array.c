/* Arrays that grow. */
#include "core/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_is_added_stays_while_the_array_moves(void **state)
{
    uint32_t *items = NULL;
    size_t capacity = 0, moves = 0;
    for (uint32_t n = 0; n < 5000; n++) {
        size_t before = capacity;
        uint32_t *roomy = array_grow(items, n, &capacity, sizeof *roomy);
        assert_non_null(roomy);
        assert_true(capacity > n);
        items = roomy;
        items[n] = n;
        moves += capacity != before;
    }
    for (uint32_t n = 0; n < 5000; n++)
        assert_int_equal(items[n], n);
    assert_in_range(moves, 1, 12); /* by doubling */
    free(items);
}

static void what_cannot_be_had_leaves_the_array_as_it_was(void **state)
{
    int items[4] = {1, 2, 3, 4};
    size_t capacity = SIZE_MAX / 4; /* twice as many would overflow */
    assert_null(array_grow(items, capacity, &capacity, sizeof *items));
    assert_int_equal(capacity, SIZE_MAX / 4);
    assert_int_equal(items[3], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stays_while_the_array_moves),
        cmocka_unit_test(what_cannot_be_had_leaves_the_array_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
