/* Stops early: the first 16 bytes of each URL of a list, as hex, without fetching the rest or
 * saving anything.
 *
 *   first_bytes urls.txt
 *
 * A callback that has enough ends its download: the file counts as done.
 */
#include <stdio.h>
#include <weir/weir.h>

#define WANTED 16

struct totals {
    unsigned long long good, failed;
};

/* The callback gets the body in pieces; a first piece shorter than WANTED is shown as it is. */
static weir_next on_data(weir_file *file, const void *data, size_t size, void *user)
{
    const unsigned char *p = data;
    char hex[2 * WANTED + 1];
    (void)file;
    (void)user;
    size_t n = size < WANTED ? size : WANTED;
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", p[i]);
    printf("%s\n", hex); /* one call, so that lines of two threads do not mix */
    return WEIR_ENOUGH;
}

/* on_end calls never overlap: the totals need no lock. */
static void on_end(const weir_result *result, void *user)
{
    struct totals *totals = user;
    if (result->outcome == WEIR_FAILED) {
        fprintf(stderr, "%s: %s\n", result->url, result->error->message);
        totals->failed++;
    } else {
        totals->good++;
    }
}

int main(int argc, char **argv)
{
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    struct totals totals = {0};
    weir_callbacks callbacks = {.on_data = on_data, .on_end = on_end};

    if (argc != 2) {
        fprintf(stderr, "usage: first_bytes LIST\n");
        return 2;
    }
    weir_status st = weir_engine_new(&engine, NULL, &err);
    if (st == WEIR_OK) {
        weir_engine_set_callbacks(engine, &callbacks, &totals);
        st = weir_engine_add_source(engine, argv[1], NULL, &err);
    }
    if (st == WEIR_OK)
        st = weir_engine_run(engine, &summary, &err);
    weir_engine_free(engine);
    if (st != WEIR_OK) {
        fprintf(stderr, "first_bytes: %s\n", err.message);
        return 2;
    }
    fprintf(stderr, "%llu good, %llu failed\n", totals.good, totals.failed);
    return totals.failed ? 1 : 0;
}
