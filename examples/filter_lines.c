/* Lines in a callback: prints the longest line of each URL, whatever the bodies are compressed
 * with.
 *
 *   filter_lines URL...
 *
 * on_line gets each line exactly once, also when a connection drops in the middle of one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

struct longest {
    uint64_t number;
    size_t size;
    char start[61]; /* as much of it as is shown */
};

static weir_next on_line(weir_file *file, const char *line, size_t size, uint64_t number,
                         void *user)
{
    struct longest *l = user;
    (void)file;
    if (size < l->size)
        return WEIR_NEXT;
    size_t shown = size < sizeof l->start - 1 ? size : sizeof l->start - 1;
    l->size = size;
    l->number = number;
    memcpy(l->start, line, shown);
    l->start[shown] = '\0';
    return WEIR_NEXT;
}

static void on_reset(weir_file *file, void *user)
{
    (void)file;
    *(struct longest *)user = (struct longest){0};
}

static void on_end(const weir_result *result, void *user)
{
    const struct longest *l = user;
    if (result->outcome == WEIR_DONE)
        printf("%s: %" PRIu64 " lines, the longest is number %" PRIu64 ", %zu bytes: %s\n",
               result->url, result->lines_in, l->number, l->size, l->start);
    else
        printf("%s: %s\n", result->url, result->error->message);
}

static const weir_callbacks callbacks = {
    .on_line = on_line, .on_reset = on_reset, .on_end = on_end};

int main(int argc, char **argv)
{
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: filter_lines URL...\n");
        return 2;
    }
    size_t n = (size_t)argc - 1;
    struct longest *found = calloc(n, sizeof *found);
    if (!found)
        return 2;
    weir_status st = weir_engine_new(&engine, NULL, &err);
    for (size_t i = 0; i < n && st == WEIR_OK; i++) {
        weir_job job = {.url = argv[i + 1], .callbacks = &callbacks, .user = &found[i]};
        st = weir_engine_add(engine, &job, &err);
    }
    if (st == WEIR_OK)
        st = weir_engine_run(engine, &summary, &err);
    if (st != WEIR_OK)
        fprintf(stderr, "filter_lines: %s\n", err.message);
    weir_engine_free(engine);
    free(found);
    return st ? 2 : weir_exit_code(&summary);
}
