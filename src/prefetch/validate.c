/* Choosing validators; and parquet, whose ends say enough. See validate.h. */
#include "prefetch/validate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"

static const char *const parquet_endings[] = {".parquet", NULL};
static const char *const gzip_endings[] = {".gz", ".tgz", NULL};
static const char *const zstd_endings[] = {".zst", ".tzst", NULL};
static const char *const tar_endings[] = {".tar",  ".tar.gz", ".tgz",     ".tar.zst",
                                          ".tzst", ".tar.xz", ".tar.bz2", NULL};
static const char *const jsonl_endings[] = {".jsonl",     ".ndjson",     ".jsonl.gz",
                                            ".jsonl.zst", ".jsonl.xz",   ".jsonl.bz2",
                                            ".ndjson.gz", ".ndjson.zst", NULL};

/* Those that look inside come first: they find what is wrong with the outside, too. */
static const struct validator validators[] = {
    {"parquet", parquet_endings, validate_parquet}, {"tar", tar_endings, validate_tar},
    {"jsonl", jsonl_endings, validate_jsonl},       {"gzip", gzip_endings, validate_gzip},
    {"zstd", zstd_endings, validate_zstd},
};

const struct validator *validator_at(size_t i)
{
    return i < sizeof validators / sizeof *validators ? &validators[i] : NULL;
}

static bool ends_so(const char *name, const struct validator *v)
{
    size_t n = strlen(name);
    for (const char *const *e = v->endings; *e; e++) {
        size_t m = strlen(*e);
        if (n > m && strcasecmp(name + n - m, *e) == 0)
            return true;
    }
    return false;
}

static bool names_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
        size_t length = strcspn(p, ",");
        if (length == n && memcmp(p, word, n) == 0)
            return true;
    }
    return false;
}

/* auto: the first that the name calls for is enough, since it reads all there is. */
static status check_formats(const char *how, const struct validate_input *in, error *err)
{
    bool by_name = names_word(how, "auto"), done = false;
    status st = OK;
    for (size_t i = 0; validator_at(i) && !st; i++) {
        const struct validator *v = validator_at(i);
        bool called = names_word(how, v->name);
        if (!called && !(by_name && !done && ends_so(in->name, v)))
            continue;
        done = done || !called;
        st = v->check(in, err);
    }
    return st;
}

status validate_file(const struct validate_rules *rules, int fd, const char *path, const char *name,
                     bool *again, error *err)
{
    struct stat st_file;
    *again = false;
    if (fstat(fd, &st_file) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be looked at", path);
    const struct validate_input in = {fd, st_file.st_size, name, rules->leave};
    status st = OK;
    if (rules->how && !names_word(rules->how, "none"))
        st = check_formats(rules->how, &in, err);
    if (!st && rules->command)
        st = validate_by_command(rules, path, name, again, err);
    return st;
}

/* ---- parquet ----
 * https://parquet.apache.org/docs/file-format/: "PAR1" at the beginning; at the end the footer, its
 * length in four bytes, little-endian, and "PAR1" again ("PARE" where the footer is encrypted). */

#define MAGIC 4

static bool is_magic(const char *p)
{
    return memcmp(p, "PAR1", MAGIC) == 0 || memcmp(p, "PARE", MAGIC) == 0;
}

static bool read_at(int fd, char *out, size_t n, int64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, out, n, offset);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n;
}

status validate_parquet(const struct validate_input *in, error *err)
{
    const char *name = in->name;
    int64_t size = in->size;
    char head[MAGIC], tail[2 * MAGIC];
    if (size < 3 * MAGIC)
        return fail(err, WEIR_RECORD, "%s: %lld bytes are too few for a parquet file", name,
                    (long long)size);
    if (!read_at(in->fd, head, sizeof head, 0) ||
        !read_at(in->fd, tail, sizeof tail, size - 2 * MAGIC))
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be read back", name);
    if (!is_magic(head))
        return fail(err, WEIR_RECORD, "%s: no parquet file, it does not begin with PAR1", name);
    if (!is_magic(tail + MAGIC))
        return fail(err, WEIR_RECORD, "%s: a parquet file that does not end with PAR1: cut off?",
                    name);
    const unsigned char *n = (const unsigned char *)tail;
    int64_t footer = (int64_t)n[0] | (int64_t)n[1] << 8 | (int64_t)n[2] << 16 | (int64_t)n[3] << 24;
    if (footer == 0 || footer > size - 3 * MAGIC)
        return fail(err, WEIR_RECORD,
                    "%s: a parquet file whose footer of %lld bytes does not fit into its %lld "
                    "bytes",
                    name, (long long)footer, (long long)size);
    return OK;
}
