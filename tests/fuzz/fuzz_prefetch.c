/* What a prefetcher reads of others: first, up to a NUL, lines of the state that an earlier run has
 * left (each gets its hash, as if it had been written so), then lines of the protocol.
 *
 * No thread runs and nothing is fetched: what is answered is what the state says. Every answer is a
 * line that begins with a word of the protocol; and a state that was taken is written anew, taken
 * again, and means the same.
 */
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "prefetch/line_talk.h"
#include "prefetch/prefetch_run.h"
#include "fuzz_must.h"

static char folder[64], list[80];

static int64_t no_size(void *ctx, uint64_t index)
{
    (void)ctx;
    (void)index;
    return -1;
}

static status ignore_line(void *ctx, const char *line, error *err)
{
    (void)ctx;
    (void)line;
    (void)err;
    return OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void end(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    unlink(list);
}

/* The folder of a cache, and a list of forty shards, once for all inputs: in memory, if it can be,
 * for the state is synced. */
static void begin(void)
{
    snprintf(folder, sizeof folder, "%s/weir-fuzz-prefetch-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder) != NULL);
    atexit(end);
    snprintf(list, sizeof list, "%s.list", folder);
    FILE *out = fopen(list, "w");
    for (int i = 0; i < 40; i++)
        fprintf(out, "http://127.0.0.1:1/shard-%02d\n", i);
    fclose(out);
}

static void remove_state(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/" OWN_FOLDER "/state", folder);
    unlink(path);
}

static void write_state(const char *p, const char *end)
{
    struct state_log *log;
    error err;
    char path[128];
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/" OWN_FOLDER, folder);
    mkdir(path, 0700);
    int fd;
    must(fs_open_dir(&fd, path, true, &err) == OK);
    must(state_log_open(&log, fd, "fuzz", ignore_line, NULL, &err) == OK);
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        char *line = strndup(p, n);
        must(state_log_append(log, line, false, &err) == OK);
        free(line);
        p += n + 1;
    }
    state_log_close(log);
    close(fd);
}

/* As weir_prefetch_open does it, without engine and threads. */
static struct weir_prefetch *open_cache(weir_config *config, int mode)
{
    struct weir_prefetch *p = calloc(1, sizeof *p);
    const char *lists[] = {list};
    error err;
    p->config = config;
    p->options = config_options(config);
    p->dirfd = p->own_fd = p->leave_fd = -1;
    pthread_cond_init(&p->plan, NULL);
    pthread_cond_init(&p->arrived, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->state_lock, NULL);
    pthread_mutex_init(&p->event_lock, NULL);
    p->finished_end = &p->finished;
    must(shard_index_open(&p->index, lists, 1, config, 0, 0, &err) == OK);
    struct reading_rules rules = {.mode = (enum reading_mode)mode,
                                  .count = shard_index_count(p->index),
                                  .epochs = 2,
                                  .keep_behind = 2,
                                  .expected = 3};
    struct window_rules window = {
        .budget = 1 << 30, .ahead = 1, .fetching_max = 4, .size_of = no_size, .ctx = p};
    must(readers_init(&p->readers, &rules, &err) == OK);
    window_init(&p->window, &window, &p->readers);
    error_clear(&err);
    status st = cache_state_open(p, &err);
    if (st == OK)
        return p;
    must(err.message[0]);
    weir_prefetch_close(p);
    return NULL;
}

static void check_answers(const struct talk *t)
{
    static const char *const words[] = {"OK",      "READY", "SKIPPED", "FAILED",
                                        "TIMEOUT", "END",   "CLOSED",  "ERROR"};
    struct span rest = {t->outgoing.p, t->outgoing.n};
    must(rest.n == 0 || rest.p[rest.n - 1] == '\n');
    while (rest.n) {
        bool known = false;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            size_t n = strlen(words[i]);
            known =
                known || (span_starts(rest, words[i]) && (rest.p[n] == ' ' || rest.p[n] == '\n'));
        }
        must(known);
        size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) - rest.p) + 1;
        rest.p += n;
        rest.n -= n;
    }
}

static void speak(struct weir_prefetch *p, const char *text, size_t n)
{
    static weir_engine *engine; /* one that never runs: STATUS looks at its counts */
    error err;
    must(engine || weir_engine_new(&engine, NULL, &err) == OK);
    p->engine = engine;
    struct talk *t = talk_new(p, -1, -1, false);
    strbuf_add(&t->incoming, text, n);
    t->in_ended = true;
    for (size_t i = 0; i <= n && !t->pending; i++) {
        size_t before = t->incoming.n;
        talk_go_on(t);
        check_answers(t);
        strbuf_clear(&t->outgoing);
        if (t->incoming.n == before)
            break;
    }
    talk_close(t);
    p->engine = NULL;
}

static uint64_t meaning(const struct weir_prefetch *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct reader_entry *e = &p->readers.at[i];
        if (e->used && e->joined)
            sum += hash64(e->name, strlen(e->name)) ^
                   (e->own.base * 3 + e->committed * 7 + (e->committed ? e->behind : 0));
    }
    return p->readers.rules.mode == READ_QUEUE ? sum + p->readers.pool.base : sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (!*folder)
        begin();
    const char *text = (const char *)data + 1, *end = text + size - 1;
    const char *cut = size > 1 ? memchr(text, '\0', size - 1) : NULL;
    weir_config *config;
    error err;
    must(weir_config_new(&config, &err) == OK);
    must(weir_config_set(config, "save.dir", folder, &err) == OK);
    must(weir_config_set(config, "save.durability", "none", &err) == OK);
    remove_state();
    write_state(text, cut ? cut : end);
    struct weir_prefetch *p = open_cache(config, data[0] % 3);
    if (p) {
        uint64_t before = meaning(p);
        weir_prefetch_close(p);
        p = open_cache(config, data[0] % 3);
        must(p && meaning(p) == before);
        if (cut)
            speak(p, cut + 1, (size_t)(end - cut - 1));
        weir_prefetch_close(p);
    }
    weir_config_free(config);
    return 0;
}
