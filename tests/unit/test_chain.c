/* Chains: order of stages, of calls, and what becomes of failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "stage/chain.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

/* What was called, in order: "wo" = stage w opened. */
static char calls[512];
static char result[512];
static bool sink_is_full;
static weir_stage *seen_stage; /* the one that wrote last */

static void note(const weir_stage_type *type, char what);

static status to_result(void *ctx, const void *data, size_t size, error *err)
{
    if (ctx || sink_is_full)
        return (fail)(err, WEIR_DISK, "the disk is full");
    strncat(result, data, size);
    return OK;
}

struct letter_state {
    char letter;
    int writes;
};

#define STAGE(x, in_phase)                                                                         \
    static const weir_stage_type x;                                                                \
    static weir_status x##_open(weir_stage *s, weir_error *err)                                    \
    {                                                                                              \
        note(&x, 'o');                                                                             \
        ((struct letter_state *)weir_stage_state(s))->letter = x.name[0];                          \
        return OK;                                                                                 \
    }                                                                                              \
    static weir_status x##_write(weir_stage *s, const void *data, size_t size, weir_error *err)    \
    {                                                                                              \
        struct letter_state *state = weir_stage_state(s);                                          \
        state->writes++;                                                                           \
        seen_stage = s;                                                                            \
        status st = weir_emit(s, data, size, err);                                                 \
        return st ? st : weir_emit(s, &state->letter, 1, err);                                     \
    }                                                                                              \
    static weir_status x##_finish(weir_stage *s, weir_error *err)                                  \
    {                                                                                              \
        note(&x, 'f');                                                                             \
        return weir_emit(s, "!", 1, err);                                                          \
    }                                                                                              \
    static void x##_reset(weir_stage *s)                                                           \
    {                                                                                              \
        note(&x, 'r');                                                                             \
    }                                                                                              \
    static void x##_abort(weir_stage *s)                                                           \
    {                                                                                              \
        note(&x, 'a');                                                                             \
    }                                                                                              \
    static const weir_stage_type x = {.abi_size = sizeof(weir_stage_type),                         \
                                      .state_size = sizeof(struct letter_state),                   \
                                      .name = #x,                                                  \
                                      .phase = in_phase,                                           \
                                      .open = x##_open,                                            \
                                      .write = x##_write,                                          \
                                      .finish = x##_finish,                                        \
                                      .reset = x##_reset,                                          \
                                      .abort = x##_abort};

STAGE(w, WEIR_PHASE_WIRE)
STAGE(d, WEIR_PHASE_DECODE)
STAGE(e, WEIR_PHASE_DECODE)
STAGE(t, WEIR_PHASE_TAP)

static void note(const weir_stage_type *type, char what)
{
    size_t n = strlen(calls);
    snprintf(calls + n, sizeof calls - n, "%c%c ", type->name[0], what);
}

static struct chain *open_chain(const weir_stage_type *const *types, size_t n, void *broken)
{
    struct chain *c = NULL;
    error err = {0};
    calls[0] = result[0] = '\0';
    assert_int_equal(chain_open(&c, types, n, NULL, (struct chain_out){to_result, broken}, &err),
                     OK);
    return c;
}

static void stages_stand_by_phase_and_keep_their_order_within(void **state)
{
    const weir_stage_type *types[] = {&t, &d, &w, &e};
    struct chain *c = open_chain(types, 4, NULL);
    assert_string_equal(calls, "wo do eo to ");
    assert_int_equal(chain_write(c, "x", 1, NULL), OK);
    /* each sends its letter after what it got: w makes two writes, d four, ... */
    assert_string_equal(result, "xtetdtetwtetdtet");
    chain_close(c);
    assert_string_equal(calls, "wo do eo to wa da ea ta ");
}

static void finish_goes_forward_and_its_bytes_pass_later_stages(void **state)
{
    const weir_stage_type *types[] = {&w, &t};
    struct chain *c = open_chain(types, 2, NULL);
    assert_int_equal(chain_finish(c, NULL), OK);
    assert_string_equal(calls, "wo to wf tf ");
    assert_string_equal(result, "!t!");
    chain_close(c);
}

static void reset_reaches_every_stage_and_the_chain_goes_on(void **state)
{
    const weir_stage_type *types[] = {&w, &t};
    struct chain *c = open_chain(types, 2, NULL);
    chain_write(c, "1", 1, NULL);
    chain_reset(c);
    assert_string_equal(calls, "wo to wr tr ");
    result[0] = '\0';
    assert_int_equal(chain_write(c, "2", 1, NULL), OK);
    assert_string_equal(result, "2twt");
    chain_close(c);
}

static void empty_chain_hands_on(void **state)
{
    struct chain *c = open_chain(NULL, 0, NULL);
    assert_int_equal(chain_write(c, "abc", 3, NULL), OK);
    assert_int_equal(chain_write(c, "", 0, NULL), OK);
    assert_int_equal(chain_finish(c, NULL), OK);
    assert_string_equal(result, "abc");
    chain_close(c);
    chain_close(NULL);
}

static void failure_behind_reaches_the_writer_and_sticks(void **state)
{
    const weir_stage_type *types[] = {&w, &t};
    struct chain *c = open_chain(types, 2, &calls);
    error err = {0};
    assert_int_equal(chain_write(c, "x", 1, &err), WEIR_DISK);
    assert_string_equal(err.message, "the disk is full");
    assert_int_equal(chain_write(c, "x", 1, &err), WEIR_DISK);
    assert_int_equal(chain_finish(c, &err), WEIR_DISK);
    assert_string_equal(calls, "wo to "); /* nobody was asked to finish */
    chain_close(c);
}

static weir_status deaf_write(weir_stage *s, const void *data, size_t size, weir_error *err)
{
    weir_emit(s, data, size, NULL);
    return OK;
}

static void failure_that_a_stage_ignores_is_not_lost(void **state)
{
    const weir_stage_type deaf = {.abi_size = sizeof deaf, .name = "deaf", .write = deaf_write};
    const weir_stage_type *types[] = {&deaf};
    struct chain *c = open_chain(types, 1, &calls);
    error err = {0};
    assert_int_equal(chain_write(c, "x", 1, &err), WEIR_DISK);
    assert_int_equal(err.status, WEIR_DISK);
    chain_close(c);
}

/* Keeps what it gets until its end, and needs no more once it has seen an "E". */
static weir_status picky_write(weir_stage *s, const void *data, size_t size, weir_error *err)
{
    note(&(weir_stage_type){.name = "p"}, 'w');
    status st = weir_emit(s, data, size, err);
    return st ? st : memchr(data, 'E', size) ? WEIR_END : OK;
}

static weir_status picky_finish(weir_stage *s, weir_error *err)
{
    note(&(weir_stage_type){.name = "p"}, 'f');
    return weir_emit(s, "?", 1, err);
}

static const weir_stage_type picky = {.abi_size = sizeof picky,
                                      .name = "picky",
                                      .phase = WEIR_PHASE_TRANSFORM,
                                      .write = picky_write,
                                      .finish = picky_finish};

static void who_needs_no_more_is_finished_and_those_before_are_not(void **state)
{
    const weir_stage_type *types[] = {&d, &picky, &t};
    struct chain *c = open_chain(types, 3, NULL);
    error err = {0};
    assert_int_equal(chain_write(c, "1", 1, &err), OK);
    assert_string_equal(result, "1tdt");
    calls[0] = result[0] = '\0';
    assert_int_equal(chain_write(c, "E", 1, &err), WEIR_END);
    assert_string_equal(result, "Et"); /* d's letter behind it is dropped */
    assert_int_equal(chain_write(c, "2", 1, &err), WEIR_END);
    assert_int_equal(chain_write(c, "", 0, &err), WEIR_END);
    assert_int_equal(err.status, OK); /* it is no error */
    assert_string_equal(calls, "pw ");
    assert_int_equal(chain_finish(c, &err), OK);
    assert_string_equal(calls, "pw pf tf ");
    assert_string_equal(result, "Et?t!");
    chain_close(c);
}

static void reset_takes_back_the_end_and_the_counts(void **state)
{
    const weir_stage_type *types[] = {&d, &picky};
    struct chain *c = open_chain(types, 2, NULL);
    assert_int_equal(chain_write(c, "E", 1, NULL), WEIR_END);
    chain_file(c)->counts.lines_in = 7;
    chain_file(c)->wish = WEIR_ENOUGH;
    chain_reset(c);
    assert_int_equal(chain_file(c)->counts.lines_in, 0);
    assert_int_equal(chain_file(c)->wish, WEIR_NEXT);
    result[0] = calls[0] = '\0';
    assert_int_equal(chain_write(c, "1", 1, NULL), OK);
    assert_int_equal(chain_finish(c, NULL), OK);
    assert_string_equal(result, "1d!?");
    assert_string_equal(calls, "pw pw df pw pf ");
    chain_close(c);
}

static status enough_at_the_end(void *ctx, const void *data, size_t size, error *err)
{
    strncat(result, data, size);
    return WEIR_END;
}

static void end_of_the_chain_that_needs_no_more_finishes_nobody(void **state)
{
    const weir_stage_type *types[] = {&w, &t};
    struct chain *c = NULL;
    error err = {0};
    calls[0] = result[0] = '\0';
    struct chain_out end = {enough_at_the_end, NULL};
    assert_int_equal(chain_open(&c, types, 2, NULL, end, &err), OK);
    assert_int_equal(chain_write(c, "x", 1, &err), WEIR_END);
    assert_int_equal(chain_finish(c, &err), OK);
    assert_string_equal(result, "x");
    assert_string_equal(calls, "wo to ");
    chain_close(c);
}

static void end_that_a_stage_ignores_cuts_it_off_all_the_same(void **state)
{
    const weir_stage_type deaf = {.abi_size = sizeof deaf, .name = "deaf", .write = deaf_write};
    const weir_stage_type *types[] = {&deaf, &picky};
    struct chain *c = open_chain(types, 2, NULL);
    assert_int_equal(chain_write(c, "E", 1, NULL), WEIR_END);
    assert_int_equal(chain_write(c, "1", 1, NULL), WEIR_END);
    assert_string_equal(calls, "pw ");
    chain_close(c);
}

static weir_status emit_e(weir_stage *s, weir_error *err)
{
    note(&(weir_stage_type){.name = "e"}, 'f');
    return weir_emit(s, "E", 1, err);
}

static void end_met_while_finishing_is_no_failure(void **state)
{
    const weir_stage_type last = {
        .abi_size = sizeof last, .name = "last", .write = deaf_write, .finish = emit_e};
    const weir_stage_type *types[] = {&last, &picky, &t};
    struct chain *c = open_chain(types, 3, NULL);
    error err = {0};
    assert_int_equal(chain_finish(c, &err), OK);
    assert_string_equal(result, "Et?t!");
    assert_string_equal(calls, "to ef pw pf tf ");
    chain_close(c);
}

static void failure_behind_an_end_still_fails(void **state)
{
    const weir_stage_type *types[] = {&picky};
    struct chain *c = open_chain(types, 1, NULL);
    error err = {0};
    assert_int_equal(chain_write(c, "E", 1, &err), WEIR_END);
    sink_is_full = true; /* it breaks while the last bytes come out */
    assert_int_equal(chain_finish(c, &err), WEIR_DISK);
    sink_is_full = false;
    chain_close(c);

    c = open_chain(types, 1, &calls);
    assert_int_equal(chain_write(c, "E", 1, &err), WEIR_DISK);
    assert_int_equal(chain_finish(c, &err), WEIR_DISK);
    chain_close(c);
}

static void stages_find_their_file(void **state)
{
    struct stage_context context = {.url = "http://a.example/x", .user = &calls};
    context.file = (weir_file *)&result;
    const weir_stage_type *types[] = {&d};
    struct chain *c = NULL;
    error err = {0};
    struct chain_out end = {to_result, NULL};
    assert_int_equal(chain_open(&c, types, 1, &context, end, &err), OK);
    assert_string_equal(chain_file(c)->url, "http://a.example/x");
    assert_ptr_not_equal(chain_file(c), &context); /* a copy */
    chain_file(c)->url = "http://b.example/";
    seen_stage = NULL;
    assert_int_equal(chain_write(c, "x", 1, &err), OK);
    assert_non_null(seen_stage);
    assert_ptr_equal(chain_context(seen_stage), chain_file(c));
    assert_string_equal(weir_stage_url(seen_stage), "http://b.example/");
    assert_ptr_equal(weir_stage_file(seen_stage), &result);
    assert_ptr_equal(weir_stage_user(seen_stage), &calls);
    chain_close(c);
}

static void chain_needs_what_any_of_its_stages_needs(void **state)
{
    const weir_stage_type order = {.flags = WEIR_STAGE_NEEDS_ORDER};
    const weir_stage_type whole = {.flags = WEIR_STAGE_NEEDS_WHOLE};
    const weir_stage_type *types[] = {&d, &order, &whole};
    assert_int_equal(chain_needs(types, 0), 0);
    assert_int_equal(chain_needs(types, 1), 0);
    assert_int_equal(chain_needs(types, 2), WEIR_STAGE_NEEDS_ORDER);
    assert_int_equal(chain_needs(types, 3), WEIR_STAGE_NEEDS_STREAM);
}

static weir_status silent_failure(weir_stage *s, const void *data, size_t size, weir_error *err)
{
    return WEIR_DECODE;
}

static void failure_without_a_message_names_the_stage(void **state)
{
    const weir_stage_type bad = {.abi_size = sizeof bad, .name = "bad", .write = silent_failure};
    const weir_stage_type *types[] = {&bad};
    struct chain *c = open_chain(types, 1, NULL);
    error err = {0};
    assert_int_equal(chain_write(c, "x", 1, &err), WEIR_DECODE);
    assert_int_equal(err.status, WEIR_DECODE);
    assert_non_null(strstr(err.message, "\"bad\""));
    chain_reset(c);
    assert_int_equal(chain_finish(c, &err), OK);
    chain_close(c);
}

static weir_status failing_open(weir_stage *s, weir_error *err)
{
    return (fail)(err, WEIR_NOMEM, "no memory for a window");
}

static void note_abort(weir_stage *s)
{
    note(&(weir_stage_type){.name = "bad"}, 'a');
}

static void open_that_fails_aborts_those_already_open(void **state)
{
    const weir_stage_type bad = {.abi_size = sizeof bad,
                                 .name = "bad",
                                 .phase = WEIR_PHASE_FRAME,
                                 .open = failing_open,
                                 .write = deaf_write,
                                 .abort = note_abort};
    const weir_stage_type *types[] = {&w, &bad, &t, &d};
    struct chain *c = NULL;
    error err = {0};
    calls[0] = '\0';
    assert_int_equal(chain_open(&c, types, 4, NULL, (struct chain_out){to_result, NULL}, &err),
                     WEIR_NOMEM);
    assert_null(c);
    assert_string_equal(err.message, "no memory for a window");
    assert_string_equal(calls, "wo do wa da ");
}

static void bad_tables_are_refused(void **state)
{
    const weir_stage_type rows[] = {
        {.abi_size = sizeof rows[0] - 8, .name = "old", .write = deaf_write},
        {.abi_size = sizeof rows[0], .name = "mute"},
        {.abi_size = sizeof rows[0], .name = "lost", .write = deaf_write, .phase = (weir_phase)9},
    };
    for (size_t i = 0; i < 3; i++) {
        const weir_stage_type *types[] = {&rows[i]};
        struct chain *c = NULL;
        error err = {0};
        assert_int_equal(chain_open(&c, types, 1, NULL, (struct chain_out){to_result, NULL}, &err),
                         WEIR_USAGE);
        assert_non_null(strstr(err.message, rows[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_stand_by_phase_and_keep_their_order_within),
        cmocka_unit_test(finish_goes_forward_and_its_bytes_pass_later_stages),
        cmocka_unit_test(reset_reaches_every_stage_and_the_chain_goes_on),
        cmocka_unit_test(empty_chain_hands_on),
        cmocka_unit_test(failure_behind_reaches_the_writer_and_sticks),
        cmocka_unit_test(failure_that_a_stage_ignores_is_not_lost),
        cmocka_unit_test(who_needs_no_more_is_finished_and_those_before_are_not),
        cmocka_unit_test(reset_takes_back_the_end_and_the_counts),
        cmocka_unit_test(end_of_the_chain_that_needs_no_more_finishes_nobody),
        cmocka_unit_test(end_that_a_stage_ignores_cuts_it_off_all_the_same),
        cmocka_unit_test(end_met_while_finishing_is_no_failure),
        cmocka_unit_test(failure_behind_an_end_still_fails),
        cmocka_unit_test(stages_find_their_file),
        cmocka_unit_test(chain_needs_what_any_of_its_stages_needs),
        cmocka_unit_test(failure_without_a_message_names_the_stage),
        cmocka_unit_test(open_that_fails_aborts_those_already_open),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
