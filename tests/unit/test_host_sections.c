/* [host "..."] sections: which of them matches, and what comes out.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/options.h"
#include "core/clock.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

static weir_config *new_config(void)
{
    weir_config *config = NULL;
    weir_error err = {0};
    assert_int_equal(weir_config_new(&config, &err), WEIR_OK);
    return config;
}

static void set(weir_config *config, const char *name, const char *value)
{
    weir_error err = {0};
    if (weir_config_set(config, name, value, &err))
        fail_msg("%s = \"%s\" was refused: %s", name, value, err.message);
}

static void the_most_specific_host_section_wins_key_by_key(void **state)
{
    (void)state;
    weir_config *config = new_config();
    set(config, "retry.retries", "1");
    set(config, "host *.org retry.retries", "2");
    set(config, "host *.org limits.per_host", "20");
    set(config, "host *.Example.ORG. retry.retries", "3");
    set(config, "host \"data.example.org\" http.user_agent", "data");
    set(config, "host data.example.org retry.retries", "4");
    set(config, "host [::1] retry.retries", "6");
    set(config, "http.user_agent", "run");
    static const struct {
        const char *host;
        int retries, per_host;
        const char *agent;
    } table[] = {
        {"other.net", 1, 8, "run"},
        {"org", 1, 8, "run"},
        {"example.org", 2, 20, "run"},
        {"a.org", 2, 20, "run"},
        {"x.example.org", 3, 20, "run"},
        {"a.b.c.example.org", 3, 20, "run"},
        {"data.example.org", 4, 20, "data"},
        {"DATA.example.ORG", 4, 20, "data"},
        {"data.example.org.", 4, 20, "data"},
        {"a.data.example.org", 3, 20, "run"},
        {"xexample.org", 2, 20, "run"},
        {"example.org.net", 1, 8, "run"},
        {"::1", 6, 8, "run"},
        {"[::1]", 6, 8, "run"},
        {"127.0.0.1", 1, 8, "run"},
        {"", 1, 8, "run"},
        {"*", 1, 8, "run"},
        {".", 1, 8, "run"},
        {"..", 1, 8, "run"},
        {"a..", 1, 8, "run"},
        {".org", 1, 8, "run"},
        {"a..org", 2, 20, "run"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct options *o = config_for_host(config, table[i].host);
        if (o->retry_retries != table[i].retries || o->limits_per_host != table[i].per_host ||
            strcmp(o->http_user_agent, table[i].agent) != 0)
            fail_msg("\"%s\": retries %d, per host %d, agent %s", table[i].host,
                     (int)o->retry_retries, (int)o->limits_per_host, o->http_user_agent);
    }
    assert_ptr_equal(config_for_host(config, "other.net"), config_options(config));
    assert_ptr_equal(config_for_host(config, NULL), config_options(config));
    weir_config_free(config);
}

static void a_host_longer_than_any_name_has_the_options_of_the_run(void **state)
{
    (void)state;
    weir_config *config = new_config();
    char host[600];
    set(config, "host *.org retry.retries", "2");
    memset(host, 'a', sizeof host);
    memcpy(host + sizeof host - 5, ".org", 5);
    assert_ptr_equal(config_for_host(config, host), config_options(config));
    assert_int_equal(config_for_host(config, host + sizeof host - 254)->retry_retries, 2);
    for (size_t i = 0; i + 5 < sizeof host; i++)
        host[i] = i % 2 ? '.' : 'a';
    assert_int_equal(config_for_host(config, host + sizeof host - 254)->retry_retries, 2);
    weir_config_free(config);
}

static void a_host_list_replaces_the_list_of_the_run(void **state)
{
    (void)state;
    weir_config *config = new_config();
    set(config, "http.header", "A: 1");
    set(config, "host *.org http.header", "B: 2");
    set(config, "host *.org http.header", "C: 3");
    const struct options *o = config_for_host(config, "x.org");
    assert_int_equal(o->http_header.n, 2);
    assert_string_equal(o->http_header.items[0], "B: 2");
    assert_string_equal(o->http_header.items[1], "C: 3");
    assert_string_equal(weir_config_get(config, "host x.org http.header"), "B: 2\nC: 3");
    assert_string_equal(weir_config_get(config, "host *.org http.header"), "B: 2\nC: 3");
    assert_string_equal(weir_config_get(config, "host x.net http.header"), "A: 1");
    assert_string_equal(weir_config_origin(config, "host x.org http.header"), "command line");
    assert_string_equal(weir_config_origin(config, "host x.org http.proxy"), "default");
    set(config, "host *.org http.header", "");
    assert_int_equal(config_for_host(config, "x.org")->http_header.n, 0);
    assert_string_equal(weir_config_host_at(config, 0), "*.org");
    assert_null(weir_config_host_at(config, 1));
    weir_config_free(config);
}

/* Every section is found among many, and says its own number. */
static void many_host_sections_are_told_apart(void **state)
{
    (void)state;
    weir_config *config = new_config();
    char name[80], value[16];
    struct rng rng;
    rng_seed(&rng, 7);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned n = i * 7919 % 1000;
        snprintf(name, sizeof name, "host %s%u.example.org retry.retries", n % 2 ? "*." : "h", n);
        snprintf(value, sizeof value, "%u", n);
        set(config, name, value);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%s%u.example.org", i % 2 ? "x.y." : "h", i);
        assert_int_equal(config_for_host(config, name)->retry_retries, i);
    }
    weir_config_free(config);
}

static void *look_up_hosts(void *arg)
{
    weir_config *config = arg;
    intptr_t wrong = 0;
    for (int i = 0; i < 20000; i++) {
        wrong += config_for_host(config, "a.example.org")->retry_retries != 3;
        wrong += config_for_host(config, "a.example.net")->retry_retries != 5;
    }
    return (void *)wrong;
}

static void hosts_may_be_looked_up_from_many_threads(void **state)
{
    (void)state;
    weir_config *config = new_config();
    pthread_t threads[4];
    set(config, "host *.example.org retry.retries", "3");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up_hosts, config), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = (void *)1;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    weir_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_host_section_wins_key_by_key),
        cmocka_unit_test(a_host_longer_than_any_name_has_the_options_of_the_run),
        cmocka_unit_test(a_host_list_replaces_the_list_of_the_run),
        cmocka_unit_test(many_host_sections_are_told_apart),
        cmocka_unit_test(hosts_may_be_looked_up_from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
