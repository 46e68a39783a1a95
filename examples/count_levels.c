/* JSON records in a callback: how many of each ".level" there are in JSONL logs, without a JSON
 * library of one's own.
 *
 *   count_levels URL...
 *
 * on_record runs on several threads at once, one for each file: what it shares is locked.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

#define LEVELS 32

struct levels {
    pthread_mutex_t lock;
    char name[LEVELS][24];
    uint64_t count[LEVELS];
    size_t n;
};

static weir_next on_record(weir_file *file, const weir_record *record, void *user)
{
    struct levels *all = user;
    const char *level = "(none)";
    size_t size = strlen(level), i = 0;
    (void)file;
    weir_record_string(record, ".level", &level, &size);
    if (size >= sizeof all->name[0])
        size = sizeof all->name[0] - 1;
    pthread_mutex_lock(&all->lock);
    while (i < all->n && (strlen(all->name[i]) != size || memcmp(all->name[i], level, size) != 0))
        i++;
    if (i == all->n && i < LEVELS) {
        memcpy(all->name[i], level, size);
        all->name[i][size] = '\0';
        all->n++;
    }
    if (i < LEVELS)
        all->count[i]++;
    pthread_mutex_unlock(&all->lock);
    return WEIR_NEXT;
}

int main(int argc, char **argv)
{
    struct levels all = {.lock = PTHREAD_MUTEX_INITIALIZER};
    weir_callbacks callbacks = {.on_record = on_record};
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: count_levels URL...\n");
        return 2;
    }
    weir_status st = weir_engine_new(&engine, NULL, &err);
    if (st == WEIR_OK)
        weir_engine_set_callbacks(engine, &callbacks, &all);
    for (int i = 1; i < argc && st == WEIR_OK; i++) {
        weir_job job = {.url = argv[i]};
        st = weir_engine_add(engine, &job, &err);
    }
    if (st == WEIR_OK)
        st = weir_engine_run(engine, &summary, &err);
    if (st != WEIR_OK)
        fprintf(stderr, "count_levels: %s\n", err.message);
    for (size_t i = 0; i < all.n; i++)
        printf("%s\t%" PRIu64 "\n", all.name[i], all.count[i]);
    if (summary.stats.bad_records)
        printf("bad records\t%" PRIu64 "\n", summary.stats.bad_records);
    weir_engine_free(engine);
    return st ? 2 : weir_exit_code(&summary);
}
