/* A directory of its own for each test of the file sink, a random body, and the calls of a sink in
 * short. Contents are random, so that a shifted range shows. */
#ifndef WEIR_TESTS_SINK_FIXTURE_H
#define WEIR_TESTS_SINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/clock.h"
#include "core/fs.h"
#include "sink/sink.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define MI ((size_t)1 << 20)
#define URL "http://h/x"

struct place {
    char path[64];
    struct options options;
    struct sink_env env;
    char *body;
};

static inline int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/weir-sink-XXXXXX");
    p->body = malloc(4 * MI);
    if (!mkdtemp(p->path) || !p->body)
        return -1;
    struct rng rng;
    rng_seed(&rng, 3);
    for (size_t i = 0; i < 4 * MI; i += 8) {
        uint64_t word = rng_next(&rng);
        memcpy(p->body + i, &word, 8);
    }
    p->options.save_durability = DURABILITY_BATCH;
    p->options.save_preallocate = PREALLOCATE_AUTO;
    p->env = (struct sink_env){.dir = p->path, .options = &p->options, .buffer = 128 * 1024};
    p->env.dirfd = open(p->path, O_RDONLY | O_DIRECTORY);
    *state = p;
    return p->env.dirfd < 0 ? -1 : 0;
}

static inline int tear_down(void **state)
{
    struct place *p = *state;
    close(p->env.dirfd);
    nftw(p->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(p->body);
    free(p);
    return 0;
}

/* ---- helpers ---- */

static inline bool exists(const struct place *p, const char *name)
{
    return faccessat(p->env.dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline int entries(const struct place *p)
{
    char command[128];
    snprintf(command, sizeof command, "find %s -mindepth 1 | wc -l", p->path);
    FILE *f = popen(command, "r");
    int n = -1;
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static inline void make_file(const struct place *p, const char *name, const void *data, size_t size)
{
    int fd = fs_open_beneath(p->env.dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666, true);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, data, size, 0), 0);
    close(fd);
}

static inline void assert_content(const struct place *p, const char *name, const char *want,
                                  size_t size)
{
    struct stat st;
    int fd = fs_open_beneath(p->env.dirfd, name, O_RDONLY, 0, false);
    if (fd < 0)
        fail_msg("%s: %s", name, strerror(-fd));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, size);
    char *text = malloc(size + 1);
    assert_int_equal(pread(fd, text, size + 1, 0), size);
    assert_memory_equal(text, want, size);
    free(text);
    close(fd);
}

static inline struct sink_spec spec_of(const char *name)
{
    return (struct sink_spec){.name = name, .origin = URL};
}

/* The trusted offset in *offset where asked for. */
static inline struct sink *open_sink(const struct place *p, const struct sink_spec *spec,
                                     int64_t *offset)
{
    struct sink *s = NULL;
    struct provenance from;
    error err = {0};
    provenance_init(&from);
    if (sink_file.open(&s, &p->env, spec, &from, &err))
        fail_msg("open %s: %s", spec->name, err.message);
    if (offset)
        *offset = from.written;
    if (offset && from.written > 0)
        assert_string_equal(from.etag, "\"v1\"");
    provenance_free(&from);
    return s;
}

static inline status try_open(const struct place *p, const char *name, error *err)
{
    struct sink *s = NULL;
    struct provenance from;
    struct sink_spec spec = spec_of(name);
    provenance_init(&from);
    status st = sink_file.open(&s, &p->env, &spec, &from, err);
    provenance_free(&from);
    if (!st)
        sink_file.close(s);
    return st;
}

static inline status try_begin(struct sink *s, int64_t offset, int64_t size, error *err)
{
    static char url[] = URL, etag[] = "\"v1\"";
    struct provenance held = {.url = url, .etag = etag, .size = size};
    return s->type->begin(s, offset, &held, err);
}

static inline void begin(struct sink *s, int64_t offset, int64_t size)
{
    error err = {0};
    if (try_begin(s, offset, size, &err))
        fail_msg("begin: %s", err.message);
}

/* In pieces as libcurl gives them. */
static inline void put(struct sink *s, const char *data, size_t size)
{
    error err = {0};
    for (size_t n; size > 0; data += n, size -= n) {
        n = size < 16384 ? size : 16384;
        if (s->type->write(s, data, n, &err))
            fail_msg("write: %s", err.message);
    }
}

static inline void seal(struct sink *s, int64_t mtime)
{
    error err = {0};
    if (s->type->seal(s, mtime, &err))
        fail_msg("seal: %s", err.message);
}

static inline status publish_and_close(const struct place *p, struct sink *s, error *err)
{
    error errs[1];
    sink_file.publish(&s, 1, &p->env, errs);
    *err = errs[0];
    sink_file.close(s);
    return errs[0].status;
}

static inline void store(const struct place *p, const char *name, size_t size, int64_t announced)
{
    struct sink_spec spec = spec_of(name);
    struct sink *s = open_sink(p, &spec, NULL);
    error err;
    begin(s, 0, announced);
    put(s, p->body, size);
    assert_int_equal(s->type->offset(s), size);
    assert_false(exists(p, name));
    seal(s, 784111777);
    assert_false(exists(p, name));
    if (publish_and_close(p, s, &err))
        fail_msg("publish: %s", err.message);
}

/* What a killed process leaves: `size` bytes flushed, no abort, the lock gone. */
static inline void leave_part(const struct place *p, const char *name, size_t size, bool record)
{
    struct sink_spec spec = spec_of(name);
    struct sink *s = open_sink(p, &spec, NULL);
    begin(s, 0, 4 * (int64_t)MI);
    put(s, p->body, size);
    if (record)
        sink_file.abort(s, true);
    sink_file.close(s);
}

/* Its check line, after a change; the length. */
static inline int vouch_anew(char *text)
{
    struct running_hash *hash = running_hash_new();
    char *check = strstr(text, "check\t");
    assert_non_null(hash);
    assert_non_null(check);
    running_hash_add(hash, text, (size_t)(check - text));
    int n = sprintf(check, "check\t%016llx\n", (unsigned long long)running_hash_value(hash));
    running_hash_free(hash);
    return (int)(check - text) + n;
}

/* Rewrites a key of the record, wherever it is kept. */
static inline void edit_record(const struct place *p, const char *part, const char *key,
                               const char *value)
{
    char text[4096], sidecar[64];
    int fd = fs_open_beneath(p->env.dirfd, part, O_RDWR, 0, false);
    ssize_t n = fs_xattr_get(fd, "user.weir.resume", text, sizeof text);
    bool in_file = n < 0;
    if (in_file) {
        close(fd);
        snprintf(sidecar, sizeof sidecar, "%s.resume", part);
        fd = fs_open_beneath(p->env.dirfd, sidecar, O_RDWR, 0, false);
        n = read(fd, text, sizeof text - 1);
    }
    assert_true(n > 0);
    text[n] = '\0';
    char *at = strstr(text, key), edited[4200];
    assert_non_null(at);
    int length = snprintf(edited, sizeof edited, "%.*s%s\t%s%s", (int)(at - text), text, key, value,
                          strchr(at, '\n'));
    if (strncmp(edited, "weir 2\n", 7) == 0)
        length = vouch_anew(edited);
    if (in_file) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(fs_write_all(fd, edited, (size_t)length, 0), 0);
    } else {
        assert_int_equal(fs_xattr_set(fd, "user.weir.resume", edited, (size_t)length), 0);
    }
    close(fd);
}

static inline int64_t offset_found(const struct place *p, const char *name)
{
    struct sink_spec spec = spec_of(name);
    int64_t offset = -1;
    struct sink *s = open_sink(p, &spec, &offset);
    sink_file.close(s);
    return offset;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
