/* The file sink: a final name only for a whole file, a .part that can be gone on with and how far, and
 * one owner at a time. On real files; contents are random, so that a shifted range shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct place *p = *state;
    close(p->env.dirfd);
    nftw(p->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(p->body);
    free(p);
    return 0;
}

/* ---- helpers ---- */

static bool exists(const struct place *p, const char *name)
{
    return faccessat(p->env.dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int entries(const struct place *p)
{
    char command[128];
    snprintf(command, sizeof command, "find %s -mindepth 1 | wc -l", p->path);
    FILE *f = popen(command, "r");
    int n = -1;
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static void make_file(const struct place *p, const char *name, const void *data, size_t size)
{
    int fd = fs_open_beneath(p->env.dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666, true);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, data, size, 0), 0);
    close(fd);
}

static void assert_content(const struct place *p, const char *name, const char *want, size_t size)
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

static struct sink_spec spec_of(const char *name)
{
    return (struct sink_spec){.name = name, .origin = URL};
}

/* The trusted offset in *offset where asked for. */
static struct sink *open_sink(const struct place *p, const struct sink_spec *spec, int64_t *offset)
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

static status try_open(const struct place *p, const char *name, error *err)
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

static status try_begin(struct sink *s, int64_t offset, int64_t size, error *err)
{
    static char url[] = URL, etag[] = "\"v1\"";
    struct provenance held = {.url = url, .etag = etag, .size = size};
    return s->type->begin(s, offset, &held, err);
}

static void begin(struct sink *s, int64_t offset, int64_t size)
{
    error err = {0};
    if (try_begin(s, offset, size, &err))
        fail_msg("begin: %s", err.message);
}

/* In pieces as libcurl gives them. */
static void put(struct sink *s, const char *data, size_t size)
{
    error err = {0};
    for (size_t n; size > 0; data += n, size -= n) {
        n = size < 16384 ? size : 16384;
        if (s->type->write(s, data, n, &err))
            fail_msg("write: %s", err.message);
    }
}

static void seal(struct sink *s, int64_t mtime)
{
    error err = {0};
    if (s->type->seal(s, mtime, &err))
        fail_msg("seal: %s", err.message);
}

static status publish_and_close(const struct place *p, struct sink *s, error *err)
{
    error errs[1];
    sink_file.publish(&s, 1, &p->env, errs);
    *err = errs[0];
    sink_file.close(s);
    return errs[0].status;
}

static void store(const struct place *p, const char *name, size_t size, int64_t announced)
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
static void leave_part(const struct place *p, const char *name, size_t size, bool record)
{
    struct sink_spec spec = spec_of(name);
    struct sink *s = open_sink(p, &spec, NULL);
    begin(s, 0, 4 * (int64_t)MI);
    put(s, p->body, size);
    if (record)
        sink_file.abort(s, true);
    sink_file.close(s);
}

/* Rewrites a key of the record, wherever it is kept. */
static void edit_record(const struct place *p, const char *part, const char *key, const char *value)
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
    if (in_file) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(fs_write_all(fd, edited, (size_t)length, 0), 0);
    } else {
        assert_int_equal(fs_xattr_set(fd, "user.weir.resume", edited, (size_t)length), 0);
    }
    close(fd);
}

static int64_t offset_found(const struct place *p, const char *name)
{
    struct sink_spec spec = spec_of(name);
    int64_t offset = -1;
    struct sink *s = open_sink(p, &spec, &offset);
    sink_file.close(s);
    return offset;
}

/* ---- whole files ---- */

static void files_of_any_size_get_their_name(void **state)
{
    struct place *p = *state;
    static const size_t sizes[] = {0,          1,          4096,       16384,  16385, 131071, 131072,
                                   131073,     300000,     1048576,    1048577, 3000000};
    for (int durability = DURABILITY_BATCH; durability <= DURABILITY_NONE; durability++) {
        p->options.save_durability = durability;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            char name[64];
            snprintf(name, sizeof name, "d%d/known-%zu", durability, sizes[i]);
            store(p, name, sizes[i], (int64_t)sizes[i]);
            assert_content(p, name, p->body, sizes[i]);
            snprintf(name, sizeof name, "unknown-%d-%zu", durability, sizes[i]);
            store(p, name, sizes[i], -1);
            assert_content(p, name, p->body, sizes[i]);
        }
    }
    assert_int_equal(entries(p), 3 * (1 + 2 * (int)(sizeof sizes / sizeof *sizes)));
}

static void published_file_has_time_origin_and_no_record(void **state)
{
    struct place *p = *state;
    char text[64];
    struct stat st;
    store(p, "f", 3 * MI, 3 * (int64_t)MI);
    int fd = fs_open_beneath(p->env.dirfd, "f", O_RDONLY, 0, false);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 784111777);
    assert_int_equal(st.st_mode & 0111, 0);
    assert_true(st.st_blocks <= 3 * (blkcnt_t)MI / 512 + 64);
    if (fs_xattr_get(fd, "user.xdg.origin.url", text, sizeof text) != -ENOTSUP) {
        assert_string_equal(text, URL);
        assert_int_equal(fs_xattr_get(fd, "user.weir.resume", text, sizeof text), -ENODATA);
    }
    close(fd);
    assert_int_equal(entries(p), 1);
}

/* A body shorter than announced gives back what was preallocated for it. */
static void preallocated_rest_is_given_back(void **state)
{
    struct place *p = *state;
    struct stat st;
    store(p, "short", MI + 5, 64 * (int64_t)MI);
    assert_int_equal(fstatat(p->env.dirfd, "short", &st, 0), 0);
    assert_int_equal(st.st_size, MI + 5);
    assert_true(st.st_blocks <= 2 * (blkcnt_t)MI / 512);
    leave_part(p, "cut", 2 * MI, true);
    assert_int_equal(fstatat(p->env.dirfd, "cut.part", &st, 0), 0);
    assert_int_equal(st.st_size, 2 * MI);
    assert_true(st.st_blocks <= 3 * (blkcnt_t)MI / 512);
}

static void pieces_at_offsets_make_the_file(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("segments");
    struct sink *s = open_sink(p, &spec, NULL);
    error err;
    begin(s, 0, 2 * (int64_t)MI);
    assert_int_equal(s->type->write_at(s, p->body + MI, MI, (int64_t)MI, &err), OK);
    assert_int_equal(s->type->write_at(s, p->body, MI, 0, &err), OK);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "segments", p->body, 2 * MI);
    /* In pieces, the size says nothing: such a part is not gone on with. */
    spec = spec_of("cut");
    s = open_sink(p, &spec, NULL);
    begin(s, 0, 2 * (int64_t)MI);
    assert_int_equal(s->type->write_at(s, p->body + MI, MI, (int64_t)MI, &err), OK);
    sink_file.abort(s, true);
    sink_file.close(s);
    assert_int_equal(offset_found(p, "cut"), 0);
}

/* ---- going on ---- */

static void cut_download_goes_on_where_it_was(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("a/b/f");
    struct sink *s = open_sink(p, &spec, NULL);
    int64_t offset = -1;
    error err;
    begin(s, 0, 700000);
    put(s, p->body, 500001);
    sink_file.abort(s, true);
    sink_file.close(s);
    assert_false(exists(p, "a/b/f"));
    s = open_sink(p, &spec, &offset);
    struct stat st;
    assert_int_equal(fstatat(p->env.dirfd, "a/b/f.part", &st, 0), 0);
    assert_int_equal(st.st_size, 500001);
    if (offset == 0) { /* no attributes here, and too small for a record of its own */
        begin(s, 0, 700000);
        put(s, p->body, 700000);
    } else {
        assert_int_equal(offset, 500001);
        begin(s, offset - 1, 700000); /* the engine may ask for a little again */
        put(s, p->body + offset - 1, (size_t)(700000 - offset + 1));
    }
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "a/b/f", p->body, 700000);
    assert_int_equal(entries(p), 3);
}

/* Killed: whatever is in the file counts, if a record says what it is. */
static void killed_download_goes_on_from_its_size(void **state)
{
    struct place *p = *state;
    leave_part(p, "f", 3 * MI, false);
    struct stat st;
    assert_int_equal(fstatat(p->env.dirfd, "f.part", &st, 0), 0);
    assert_true(st.st_size > 2 * (off_t)MI);
    assert_int_equal(offset_found(p, "f"), st.st_size);
    leave_part(p, "small", MI / 2, false);
    assert_int_equal(offset_found(p, "small"), 0);
}

static void after_another_boot_only_synced_bytes_count(void **state)
{
    struct place *p = *state;
    static const char other[] = "00000000-0000-4000-8000-000000000000";
    leave_part(p, "f", 3 * MI, true);
    assert_int_equal(offset_found(p, "f"), 3 * MI);
    edit_record(p, "f.part", "boot_id", other);
    assert_int_equal(offset_found(p, "f"), 0);
    edit_record(p, "f.part", "synced", "1000000");
    assert_int_equal(offset_found(p, "f"), 1000000);
    edit_record(p, "f.part", "synced", "9000000");
    assert_int_equal(offset_found(p, "f"), 3 * MI);
    /* Going on notes the boot in which it happens. */
    edit_record(p, "f.part", "synced", "1000000");
    struct sink_spec spec = spec_of("f");
    int64_t offset;
    struct sink *s = open_sink(p, &spec, &offset);
    begin(s, offset, 4 * (int64_t)MI);
    put(s, p->body + offset, 512 * 1024);
    sink_file.close(s);
    offset = offset_found(p, "f");
    assert_true(offset > 1000000 + 256 * 1024);
    assert_content(p, "f.part", p->body, (size_t)offset);
}

static void damaged_or_foreign_parts_are_not_trusted(void **state)
{
    struct place *p = *state;
    make_file(p, "alien.part", p->body, 2 * MI);
    assert_int_equal(offset_found(p, "alien"), 0);
    assert_true(exists(p, "alien.part")); /* looking changes nothing */
    leave_part(p, "damaged", 2 * MI, true);
    edit_record(p, "damaged.part", "written", "many");
    assert_int_equal(offset_found(p, "damaged"), 0);
    leave_part(p, "longer", 2 * MI, true);
    edit_record(p, "longer.part", "size", "1000000");
    assert_int_equal(offset_found(p, "longer"), 0);
    store(p, "damaged", 1000, 1000);
    store(p, "alien", 1000, -1);
    assert_content(p, "alien", p->body, 1000);
    assert_content(p, "damaged", p->body, 1000);
}

/* A body of another version replaces the first one whole; its record must go before its bytes come. */
static void starting_again_forgets_the_old_version(void **state)
{
    struct place *p = *state;
    error err;
    for (int way = 0; way < 3; way++) {
        struct sink_spec spec = spec_of("f");
        leave_part(p, "f", 3 * MI, true);
        struct sink *s = open_sink(p, &spec, NULL);
        if (way == 1)
            begin(s, 2 * (int64_t)MI, 4 * (int64_t)MI);
        if (way >= 1)
            assert_int_equal(s->type->reset(s, &err), OK);
        begin(s, 0, 4 * (int64_t)MI);
        put(s, p->body + 7, MI / 2);
        sink_file.close(s); /* killed */
        assert_int_equal(offset_found(p, "f"), 0);
        s = open_sink(p, &spec, NULL);
        begin(s, 0, 1000);
        put(s, p->body + 9, 500);
        begin(s, 0, 1000); /* the engine, after a 200 where it asked for a part */
        put(s, p->body + 11, 1000);
        seal(s, -1);
        spec.replace = true;
        assert_int_equal(publish_and_close(p, s, &err), OK);
        assert_content(p, "f", p->body + 11, 1000);
        assert_int_equal(entries(p), 1);
        unlinkat(p->env.dirfd, "f", 0);
    }
}

/* Gathered bytes count: a retry within a run goes on at the byte, or a little before it. */
static void retry_goes_on_within_gathered_bytes(void **state)
{
    struct place *p = *state;
    error err;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    put(s, p->body, 200000);
    begin(s, 200000, -1);
    put(s, p->body + 200000, 10);
    begin(s, 199990, -1);
    put(s, p->body + 199990, 10);
    begin(s, 1000, -1);
    put(s, p->body + 1000, 199000);
    assert_int_equal(try_begin(s, 200001, -1, &err), WEIR_USAGE);
    assert_int_equal(s->type->offset(s), 200000);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", p->body, 200000);
}

/* A URL too long for any attribute: the record becomes a file beside the .part. */
static void record_that_does_not_fit_goes_beside_the_part(void **state)
{
    struct place *p = *state;
    size_t length = 70000;
    char *url = malloc(length + 1), etag[] = "\"v1\"";
    memset(url, 'u', length);
    url[length] = '\0';
    struct provenance held = {.url = url, .etag = etag, .size = 4 * (int64_t)MI};
    struct sink_spec spec = spec_of("d/f");
    error err;
    struct sink *s = open_sink(p, &spec, NULL);
    assert_int_equal(s->type->begin(s, 0, &held, &err), OK);
    put(s, p->body, MI / 2);
    assert_false(exists(p, "d/f.part.resume"));
    put(s, p->body + MI / 2, MI * 3 / 2);
    assert_true(exists(p, "d/f.part.resume"));
    sink_file.close(s); /* killed */
    assert_false(exists(p, "d/f.part.resume.part"));
    int64_t offset;
    s = open_sink(p, &spec, &offset);
    assert_true(offset > (int64_t)MI);
    assert_int_equal(s->type->begin(s, offset, &held, &err), OK);
    put(s, p->body + offset, 4 * MI - (size_t)offset);
    seal(s, -1);
    assert_true(exists(p, "d/f.part.resume"));
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "d/f", p->body, 4 * MI);
    assert_int_equal(entries(p), 2);

    spec = spec_of("d/g");
    s = open_sink(p, &spec, NULL);
    assert_int_equal(s->type->begin(s, 0, &held, &err), OK);
    put(s, p->body, 2 * MI);
    sink_file.abort(s, false);
    sink_file.close(s);
    assert_int_equal(entries(p), 2);
    free(url);
}

static void abort_keeps_or_removes(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    sink_file.abort(s, true); /* before begin: nothing was made */
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    sink_file.abort(s, true); /* an empty part is of no use */
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    put(s, p->body, 2 * MI);
    sink_file.abort(s, false);
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    leave_part(p, "f", 2 * MI, true);
    s = open_sink(p, &spec, NULL);
    sink_file.abort(s, true); /* no body came: the part of the run before stays as it is */
    sink_file.close(s);
    assert_int_equal(offset_found(p, "f"), 2 * MI);
}

/* ---- names in the way ---- */

static void one_owner_at_a_time(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL), *late = open_sink(p, &spec, NULL);
    error err = {0};
    begin(s, 0, -1);
    put(s, p->body, 10);
    assert_int_equal(try_open(p, "f", &err), WEIR_NAME);
    assert_non_null(strstr(err.message, "another process is downloading"));
    assert_int_equal(try_begin(late, 0, -1, &err), WEIR_NAME);
    assert_non_null(strstr(err.message, "another process is downloading"));
    sink_file.abort(late, false); /* it never was his to remove */
    sink_file.close(late);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", p->body, 10);
}

/* One of several processes that all want the name: takes it, writes 30,000 times its letter, and now
 * and then dies in the middle. Whoever holds the .part must be able to give it its name: returns
 * whether it always was. */
static bool compete(const struct place *p, char letter)
{
    char body[30000];
    struct rng rng;
    rng_seed(&rng, (uint64_t)letter);
    memset(body, letter, sizeof body);
    for (int round = 0; round < 1500; round++) {
        struct sink *s = NULL;
        struct sink_spec spec = {.name = "f", .origin = URL, .replace = true};
        struct provenance from;
        error err;
        provenance_init(&from);
        if (sink_file.open(&s, &p->env, &spec, &from, &err)) {
            sched_yield();
            continue;
        }
        provenance_free(&from);
        status st = try_begin(s, 0, -1, &err);
        size_t size = rng_below(&rng, 3) ? sizeof body : rng_below(&rng, sizeof body);
        if (!st)
            put(s, body, size);
        if (!st && size == sizeof body) {
            seal(s, -1);
            if (publish_and_close(p, s, &err)) {
                print_message("%s\n", err.message);
                return false;
            }
            continue;
        }
        if (!st && size % 2)
            sink_file.abort(s, size % 4 == 1);
        sink_file.close(s);
    }
    return true;
}

static void competing_processes_never_mix_their_bytes(void **state)
{
    struct place *p = *state;
    enum { COUNT = 4 };
    pid_t children[COUNT];
    p->options.save_durability = DURABILITY_NONE;
    for (int i = 0; i < COUNT; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(compete(p, (char)('a' + i)) ? 0 : 1);
    }
    int running = COUNT, seen = 0;
    for (;;) { /* and once more when all have ended */
        char text[30001];
        int ended, fd = fs_open_beneath(p->env.dirfd, "f", O_RDONLY, 0, false);
        if (fd >= 0) {
            seen++;
            assert_int_equal(pread(fd, text, sizeof text, 0), 30000);
            for (int i = 1; i < 30000; i++)
                assert_int_equal(text[i], text[0]);
            close(fd);
        }
        if (running == 0)
            break;
        for (int i = 0; i < COUNT; i++) {
            if (!children[i] || waitpid(children[i], &ended, WNOHANG) != children[i])
                continue;
            assert_int_equal(ended, 0);
            children[i] = 0;
            running--;
        }
    }
    assert_true(seen > 0);
}

static void names_in_the_way_are_named(void **state)
{
    struct place *p = *state;
    make_file(p, "file", "x", 1);
    assert_int_equal(mkdirat(p->env.dirfd, "folder", 0777), 0);
    assert_int_equal(mkdirat(p->env.dirfd, "taken.part", 0777), 0);
    assert_int_equal(symlinkat("/tmp", p->env.dirfd, "link"), 0);
    assert_int_equal(symlinkat("file", p->env.dirfd, "s.part"), 0);
    assert_int_equal(symlinkat("nowhere", p->env.dirfd, "dangling.part"), 0);
    make_file(p, "hard", "x", 1);
    assert_int_equal(linkat(p->env.dirfd, "hard", p->env.dirfd, "linked.part", 0), 0);
    assert_int_equal(mkfifoat(p->env.dirfd, "pipe.part", 0666), 0);
    static const struct {
        const char *name, *said;
    } rows[] = {
        {"file/x", "/file is a file where a folder is needed"},
        {"file/x/y", "/file is a file where a folder is needed"},
        {"link/x", "/link is a symbolic link, which is not followed"},
        {"s", "s.part: is a symbolic link; not followed"},
        {"dangling", "dangling.part: is a symbolic link; not followed"},
        {"linked", "linked.part: is no regular file with one link"},
        {"pipe", "pipe.part: is no regular file with one link"},
        {"taken", "taken.part"},
        {"../x", "../x.part"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error err = {0};
        status st = try_open(p, rows[i].name, &err);
        if (st != WEIR_NAME || !strstr(err.message, rows[i].said))
            fail_msg("%s: status %d, %s", rows[i].name, (int)st, err.message);
    }
    assert_content(p, "file", "x", 1);
    assert_content(p, "hard", "x", 1);
}

static void what_appears_under_the_name_is_kept_unless_told(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    error err;
    for (int round = 0; round < 2; round++) {
        struct sink *s = open_sink(p, &spec, NULL);
        begin(s, 0, -1);
        put(s, p->body, 100);
        seal(s, -1);
        make_file(p, "f", "mine", 4);
        assert_int_equal(publish_and_close(p, s, &err), round ? OK : WEIR_NAME);
        if (round == 0) {
            assert_non_null(strstr(err.message, "appeared"));
            assert_content(p, "f", "mine", 4);
            assert_content(p, "f.part", p->body, 100);
        }
        spec.replace = true;
    }
    assert_content(p, "f", p->body, 100);
    assert_int_equal(mkdirat(p->env.dirfd, "g", 0777), 0);
    spec.name = "g";
    struct sink *s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), WEIR_NAME);
    assert_non_null(strstr(err.message, "a folder has this name"));
}

/* ---- groups ---- */

static void group_is_published_whole_and_judged_one_by_one(void **state)
{
    struct place *p = *state;
    enum { COUNT = 60 };
    for (int durability = DURABILITY_BATCH; durability <= DURABILITY_NONE; durability++) {
        struct sink *group[COUNT];
        error errs[COUNT];
        char names[COUNT][32];
        p->options.save_durability = durability;
        for (int i = 0; i < COUNT; i++) {
            snprintf(names[i], sizeof names[i], i % 3 ? "%d/t%d/f%d" : "%d-%d-%d", durability, i % 5,
                     i);
            struct sink_spec spec = spec_of(names[i]);
            group[i] = open_sink(p, &spec, NULL);
            begin(group[i], 0, -1);
            put(group[i], p->body + i, i == 7 ? 3 * MI : 1000);
            seal(group[i], -1);
        }
        make_file(p, names[10], "mine", 4);
        make_file(p, names[12], "mine", 4);
        sink_file.publish(group, COUNT, &p->env, errs);
        for (int i = 0; i < COUNT; i++) {
            bool bad = i == 10 || i == 12;
            if (errs[i].status != (bad ? WEIR_NAME : OK))
                fail_msg("%s: %s", names[i], errs[i].message);
            sink_file.close(group[i]);
            if (!bad)
                assert_content(p, names[i], p->body + i, i == 7 ? 3 * MI : 1000);
        }
    }
}

/* ---- trouble ---- */

static void disk_trouble_says_what_to_do_and_keeps_the_part(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    struct rlimit was, small = {.rlim_cur = 2 * MI, .rlim_max = RLIM_INFINITY};
    error err = {0};
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    p->options.save_preallocate = PREALLOCATE_NO;
    begin(s, 0, -1);
    setrlimit(RLIMIT_FSIZE, &small);
    status st = OK;
    for (size_t i = 0; i < 4 * MI && !st; i += 16384)
        st = s->type->write(s, p->body + i, 16384, &err);
    sink_file.abort(s, true);
    setrlimit(RLIMIT_FSIZE, &was);
    sink_file.close(s);
    assert_int_equal(st, WEIR_DISK);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.message, "f.part: cannot be written: File too large; "));
    assert_int_equal(offset_found(p, "f"), 2 * MI);
    assert_content(p, "f.part", p->body, 2 * MI);
}

static void descriptors_running_out_is_for_later(void **state)
{
    struct place *p = *state;
    struct rlimit was, none;
    getrlimit(RLIMIT_NOFILE, &was);
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    error err = {0};
    none = was;
    int next = dup(p->env.dirfd);
    close(next);
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
    status at_begin = try_begin(s, 0, -1, &err);
    status at_open = try_open(p, "g", &err);
    setrlimit(RLIMIT_NOFILE, &was);
    assert_int_equal(at_begin, WEIR_AGAIN);
    assert_int_equal(at_open, WEIR_AGAIN);
    begin(s, 0, -1); /* and later it works */
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", "", 0);
}

static void calls_out_of_order_are_refused(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    error err;
    assert_int_equal(s->type->write(s, "x", 1, &err), WEIR_USAGE);
    assert_int_equal(s->type->seal(s, -1, &err), WEIR_USAGE);
    assert_int_equal(try_begin(s, 5, -1, &err), WEIR_USAGE);
    assert_int_equal(publish_and_close(p, s, &err), WEIR_USAGE);
    s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    seal(s, -1);
    assert_int_equal(s->type->write(s, "x", 1, &err), WEIR_USAGE);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_ptr_equal(sink_type_at(0), &sink_file);
    assert_ptr_equal(sink_type_at(1), &sink_stream);
    assert_null(sink_type_at(2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_any_size_get_their_name),
        TEST(published_file_has_time_origin_and_no_record),
        TEST(preallocated_rest_is_given_back),
        TEST(pieces_at_offsets_make_the_file),
        TEST(cut_download_goes_on_where_it_was),
        TEST(killed_download_goes_on_from_its_size),
        TEST(after_another_boot_only_synced_bytes_count),
        TEST(damaged_or_foreign_parts_are_not_trusted),
        TEST(starting_again_forgets_the_old_version),
        TEST(retry_goes_on_within_gathered_bytes),
        TEST(record_that_does_not_fit_goes_beside_the_part),
        TEST(abort_keeps_or_removes),
        TEST(one_owner_at_a_time),
        TEST(competing_processes_never_mix_their_bytes),
        TEST(names_in_the_way_are_named),
        TEST(what_appears_under_the_name_is_kept_unless_told),
        TEST(group_is_published_whole_and_judged_one_by_one),
        TEST(disk_trouble_says_what_to_do_and_keeps_the_part),
        TEST(descriptors_running_out_is_for_later),
        TEST(calls_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
