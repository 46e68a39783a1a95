/* A consumer in process: reads all shards of a list in order, each while the next ones arrive, and
 * commits every tenth. Run again after any end, it goes on behind the last commit.
 *
 *   prefetch_shards LIST CACHE BUDGET [HOW_MANY]      stops after so many shards
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/prefetch.h>

/* What a training step would do. */
static int64_t read_shard(const char *path)
{
    char block[65536];
    int64_t total = 0;
    size_t n;
    FILE *in = fopen(path, "rb");
    while (in && (n = fread(block, 1, sizeof block, in)) > 0)
        total += (int64_t)n;
    if (in)
        fclose(in);
    return total;
}

static int consume(weir_consumer *consumer, long most)
{
    weir_shard shard;
    weir_error err;
    weir_shard_state state;
    long count = 0;
    while (count < most && (state = weir_prefetch_next(consumer, -1, &shard)) != WEIR_SHARD_END) {
        if (state == WEIR_SHARD_SKIPPED)
            continue;
        if (state != WEIR_SHARD_READY) {
            fprintf(stderr, "prefetch_shards: shard %" PRIu64 ": %s\n", shard.seq,
                    shard.error.message);
            return 1;
        }
        printf("%" PRIu64 " %" PRId64 " %s\n", shard.seq, read_shard(shard.path), shard.path);
        if (weir_prefetch_release(consumer, shard.seq, &err) ||
            (++count % 10 == 0 && weir_prefetch_commit(consumer, shard.seq, &err))) {
            fprintf(stderr, "prefetch_shards: %s\n", err.message);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    weir_config *config = NULL;
    weir_prefetch *prefetch = NULL;
    weir_consumer *consumer = NULL;
    weir_error err = {0};
    int code = 1;
    if (argc < 4) {
        fprintf(stderr, "usage: prefetch_shards LIST CACHE BUDGET [HOW_MANY]\n");
        return 2;
    }
    const char *list = argv[1];
    if (weir_config_new(&config, &err) == WEIR_OK &&
        weir_config_set(config, "save.dir", argv[2], &err) == WEIR_OK &&
        weir_config_set(config, "prefetch.budget", argv[3], &err) == WEIR_OK &&
        weir_prefetch_open(&prefetch, &list, 1, config, &err) == WEIR_OK &&
        weir_prefetch_join(prefetch, &consumer, "example", -1, &err) == WEIR_OK)
        code = consume(consumer, argc > 4 ? atol(argv[4]) : 1000000000L);
    else
        fprintf(stderr, "prefetch_shards: %s\n", err.message);
    weir_prefetch_close(prefetch);
    weir_config_free(config);
    return code;
}
