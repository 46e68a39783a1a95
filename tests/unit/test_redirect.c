/* Where a redirect may lead: a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"
#include "engine/redirect.h"

/* Last: it takes the name "fail". */
#include <cmocka.h>

static void redirects_obey_the_policy(void **state)
{
    static const struct {
        const char *from, *to;
        uint32_t hop;
        bool downgrade;
        status want;
    } rows[] = {
        {"http://a.example/", "http://a.example/x", 1, false, WEIR_OK},
        {"http://a.example/", "https://b.example/x", 10, false, WEIR_OK},
        {"http://a.example/", "http://a.example/x", 11, false, WEIR_REDIRECT},
        {"https://a.example/", "http://a.example/x", 1, false, WEIR_POLICY},
        {"https://a.example/", "http://a.example/x", 1, true, WEIR_OK},
        {"http://a.example/", "ftp://a.example/x", 1, false, WEIR_POLICY},
        {"http://a.example/", "file:///etc/passwd", 1, false, WEIR_POLICY},
        {"http://a.example/", "gopher://a.example/", 1, false, WEIR_POLICY},
    };
    weir_config *config = NULL;
    assert_int_equal(weir_config_new(&config, NULL), WEIR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct options options = *config_options(config);
        options.http_allow_downgrade = rows[i].downgrade;
        struct url from, to;
        url_init(&from);
        url_init(&to);
        error err;
        assert_int_equal(url_parse(&from, span_of(rows[i].from), &err), WEIR_OK);
        status st = url_parse(&to, span_of(rows[i].to), &err);
        /* A target that is no URL of a host never gets as far as the policy. */
        if (!st)
            st = redirect_check(&from, &to, rows[i].hop, &options, &err);
        else
            st = WEIR_POLICY;
        if (st != rows[i].want)
            fail_msg("%s -> %s: got %s", rows[i].from, rows[i].to, weir_status_name(st));
        url_free(&from);
        url_free(&to);
    }
    weir_config_free(config);
}

static void protocols_are_a_list_of_whole_names(void **state)
{
    assert_true(protocol_allowed("http,https", span_of("https")));
    assert_true(protocol_allowed("http, https", span_of("https")));
    assert_false(protocol_allowed("https", span_of("http")));
    assert_false(protocol_allowed("http", span_of("https")));
    assert_false(protocol_allowed("http,https", span_of("file")));
    assert_false(protocol_allowed("http,https", span_of("")));
}

static void redirect_codes_are_known(void **state)
{
    for (int code = 300; code < 310; code++) {
        bool leads = code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
        assert_int_equal(redirect_status(code), leads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_obey_the_policy),
        cmocka_unit_test(protocols_are_a_list_of_whole_names),
        cmocka_unit_test(redirect_codes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
