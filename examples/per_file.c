/* Callbacks for each file: its progress in steps of a quarter, and a checksum made while it
 * streams. The files are saved as well.
 *
 *   per_file DIR URL...
 *
 * on_begin, on_data and on_reset of one file never run at the same time, so a file's own state
 * needs no lock. Different files do run at the same time, on different threads.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

struct download {
    const char *url;
    int64_t size, have;
    int quarters;      /* told so far */
    uint64_t checksum; /* FNV-1a of the body */
};

#define FNV_START 14695981039346656037u

static weir_next on_begin(weir_file *file, const weir_begin *begin, void *user)
{
    struct download *d = user;
    (void)file;
    /* After a lost connection on_begin comes again, with what is still missing: keep the count. */
    if (d->have == 0) {
        d->size = begin->size;
        d->have = begin->offset;
        d->checksum = FNV_START;
        printf("%s: begins at %" PRId64 " of %" PRId64 " bytes\n", d->url, begin->offset,
               begin->size);
    }
    return WEIR_NEXT;
}

static weir_next on_data(weir_file *file, const void *data, size_t size, void *user)
{
    struct download *d = user;
    const unsigned char *p = data;
    (void)file;
    for (size_t i = 0; i < size; i++)
        d->checksum = (d->checksum ^ p[i]) * 1099511628211u;
    d->have += (int64_t)size;
    while (d->size > 0 && d->quarters < 4 && d->have >= d->size * (d->quarters + 1) / 4)
        printf("%s: %d %%\n", d->url, ++d->quarters * 25);
    return WEIR_NEXT;
}

/* The server could not go on where it stopped: the body comes once more from its first byte. */
static void on_reset(weir_file *file, void *user)
{
    struct download *d = user;
    (void)file;
    d->have = 0;
    d->quarters = 0;
    d->checksum = FNV_START;
}

static void on_end(const weir_result *result, void *user)
{
    struct download *d = user;
    if (result->outcome == WEIR_DONE)
        printf("%s: done, %" PRId64 " bytes, fnv %016" PRIx64 ", saved as %s\n", d->url,
               result->bytes, d->checksum, result->path);
    else if (result->outcome == WEIR_SKIPPED)
        printf("%s: skipped, %s is there already\n", d->url, result->path);
    else
        printf("%s: failed (%s): %s\n", d->url, weir_status_name(result->error->status),
               result->error->message);
}

static const weir_callbacks callbacks = {
    .on_begin = on_begin, .on_data = on_data, .on_reset = on_reset, .on_end = on_end};

int main(int argc, char **argv)
{
    weir_config *config = NULL;
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    struct download *downloads = NULL;
    weir_status st = WEIR_OK;

    if (argc < 3) {
        fprintf(stderr, "usage: per_file DIR URL...\n");
        return 2;
    }
    int n = argc - 2;
    downloads = calloc((size_t)n, sizeof *downloads);
    if (!downloads)
        return 2;
    if ((st = weir_config_new(&config, &err)) ||
        (st = weir_config_set(config, "save.dir", argv[1], &err)) ||
        (st = weir_engine_new(&engine, config, &err)))
        goto out;
    for (int i = 0; i < n; i++) {
        downloads[i].url = argv[i + 2];
        /* A job with on_data is not saved unless it says so. */
        weir_job job = {.url = argv[i + 2],
                        .save = WEIR_SAVE_YES,
                        .callbacks = &callbacks,
                        .user = &downloads[i]};
        if ((st = weir_engine_add(engine, &job, &err)))
            goto out;
    }
    st = weir_engine_run(engine, &summary, &err);
out:
    if (st)
        fprintf(stderr, "per_file: %s\n", err.message);
    weir_engine_free(engine);
    weir_config_free(config);
    free(downloads);
    return st ? 2 : weir_exit_code(&summary);
}
