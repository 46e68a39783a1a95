/* The file sink: a final name only for a whole file, one owner of a .part at a time, names in the
 * way, groups, and a disk that refuses. On real files. */
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sink_fixture.h"

/* ---- whole files ---- */

static void files_of_any_size_get_their_name(void **state)
{
    struct place *p = *state;
    static const size_t sizes[] = {0,      1,      4096,   16384,   16385,   131071,
                                   131072, 131073, 300000, 1048576, 1048577, 3000000};
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

/* One of several processes that all want the name: takes it, writes 30,000 times its letter, and
 * now and then dies in the middle. Whoever holds the .part must be able to give it its name:
 * returns whether it always was. */
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
            snprintf(names[i], sizeof names[i], i % 3 ? "%d/t%d/f%d" : "%d-%d-%d", durability,
                     i % 5, i);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_any_size_get_their_name),
        TEST(published_file_has_time_origin_and_no_record),
        TEST(preallocated_rest_is_given_back),
        TEST(pieces_at_offsets_make_the_file),
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
