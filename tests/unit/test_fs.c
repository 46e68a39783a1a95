/* Files beneath a directory: nothing outside is reached, no link is followed, nothing is
 * overwritten unasked. */
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

#include "core/fs.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

struct place {
    char path[64];
    int fd; /* of path/in; path/out lies beside it */
};

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/weir-fs-XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    char path[128];
    snprintf(path, sizeof path, "%s/in", p->path);
    mkdir(path, 0777);
    p->fd = open(path, O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof path, "%s/out", p->path);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/out/secret", p->path);
    close(open(path, O_WRONLY | O_CREAT, 0666));
    *state = p;
    return p->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    close(p->fd);
    nftw(p->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    return 0;
}

static void make_file(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_text(int dirfd, const char *name, const char *want)
{
    char text[64] = "";
    int fd = openat(dirfd, name, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, want);
}

static bool exists(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void nothing_outside_is_opened(void **state)
{
    struct place *p = *state;
    mkdirat(p->fd, "d", 0777);
    make_file(p->fd, "file", "");
    assert_int_equal(symlinkat("../out", p->fd, "link"), 0);
    assert_int_equal(symlinkat("../out/secret", p->fd, "slink"), 0);
    assert_int_equal(symlinkat("../../out", p->fd, "d/link"), 0);
    assert_int_equal(symlinkat("nowhere", p->fd, "dangling"), 0);
    static const struct {
        const char *name;
        int flags, want;
    } rows[] = {
        {"../out/secret", O_RDONLY, -EXDEV},
        {"..", O_RDONLY, -EXDEV},
        {".", O_RDONLY, -EXDEV},
        {"", O_RDONLY, -EXDEV},
        {"/etc/passwd", O_RDONLY, -EXDEV},
        {"d/../../out/secret", O_RDONLY, -EXDEV},
        {"d/..", O_RDONLY, -EXDEV},
        {"link/secret", O_RDONLY, -ELOOP},
        {"d/link/secret", O_RDONLY, -ELOOP},
        {"slink", O_RDONLY, -ELOOP},
        {"dangling", O_WRONLY | O_CREAT, -ELOOP},
        {"link/new", O_WRONLY | O_CREAT, -ELOOP},
        {"file/x", O_RDONLY, -ENOTDIR},
        {"missing", O_RDONLY, -ENOENT},
        {"missing/x", O_RDONLY, -ENOENT},
        {"d/missing/x", O_RDONLY, -ENOENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int make = 0; make < 2; make++) {
            if (make && rows[i].want == -ENOENT)
                continue;
            int fd = fs_open_beneath(p->fd, rows[i].name, rows[i].flags, 0666, make);
            if (fd != rows[i].want)
                fail_msg("\"%s\" (make %d): wanted %d, got %d", rows[i].name, make, rows[i].want,
                         fd);
        }
    }
}

static void parents_are_made_on_demand(void **state)
{
    struct place *p = *state;
    assert_int_equal(fs_open_beneath(p->fd, "a/b/c", O_WRONLY | O_CREAT, 0640, false), -ENOENT);
    int fd = fs_open_beneath(p->fd, "a/b/c", O_WRONLY | O_CREAT | O_EXCL, 0640, true);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(fs_open_beneath(p->fd, "a/b/c", O_WRONLY | O_CREAT | O_EXCL, 0640, true),
                     -EEXIST);
    make_file(p->fd, "f", "");
    assert_int_equal(fs_open_beneath(p->fd, "f/b/c", O_WRONLY | O_CREAT, 0640, true), -ENOTDIR);
    assert_int_equal(fs_open_beneath(p->fd, "a/b", O_RDWR, 0, false), -EISDIR);
}

static void parent_and_last_component_are_told_apart(void **state)
{
    struct place *p = *state;
    const char *last = NULL;
    assert_int_equal(fs_open_parent(p->fd, "x", false, &last), p->fd);
    assert_string_equal(last, "x");
    assert_int_equal(fs_open_parent(p->fd, "d/e/x", false, &last), -ENOENT);
    int fd = fs_open_parent(p->fd, "d/e/x", true, &last);
    assert_true(fd >= 0 && fd != p->fd);
    assert_string_equal(last, "x");
    make_file(fd, last, "here");
    close(fd);
    assert_text(p->fd, "d/e/x", "here");
    fd = fs_open_parent(p->fd, "g/x", true, &last); /* one folder, made */
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0); /* a real descriptor, no O_PATH */
    close(fd);
    assert_int_equal(symlinkat("../out", p->fd, "link"), 0);
    assert_int_equal(fs_open_parent(p->fd, "link/x", true, &last), -ELOOP);
    assert_int_equal(fs_open_parent(p->fd, "../out/x", true, &last), -EXDEV);
}

static void rename_keeps_what_exists_unless_told(void **state)
{
    struct place *p = *state;
    make_file(p->fd, "from", "new");
    make_file(p->fd, "to", "old");
    assert_int_equal(fs_rename(p->fd, "from", "to", true), -EEXIST);
    assert_text(p->fd, "to", "old");
    assert_text(p->fd, "from", "new");
    assert_int_equal(fs_rename(p->fd, "from", "to", false), 0);
    assert_text(p->fd, "to", "new");
    assert_false(exists(p->fd, "from"));
    assert_int_equal(fs_rename(p->fd, "to", "third", true), 0);
    assert_text(p->fd, "third", "new");
    assert_int_equal(fs_rename(p->fd, "missing", "x", true), -ENOENT);
    assert_int_equal(mkdirat(p->fd, "folder", 0777), 0);
    assert_int_equal(fs_rename(p->fd, "third", "folder", false), -EISDIR);
    assert_int_equal(fs_rename(p->fd, "third", "folder", true), -EEXIST);
}

static void directory_is_made_with_its_parents(void **state)
{
    struct place *p = *state;
    char path[160];
    int fd = -1;
    error err;
    snprintf(path, sizeof path, "%s/x/y//z/", p->path);
    assert_int_equal(fs_open_dir(&fd, path, false, &err), WEIR_DISK);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(fd, -1);
    assert_int_equal(fs_open_dir(&fd, path, true, &err), OK);
    close(fd);
    assert_int_equal(fs_open_dir(&fd, path, true, &err), OK);
    close(fd);
    snprintf(path, sizeof path, "%s/out/secret", p->path);
    assert_int_equal(fs_open_dir(&fd, path, true, &err), WEIR_DISK);
    assert_non_null(strstr(err.message, "not a directory"));
    snprintf(path, sizeof path, "%s/out/secret/x", p->path);
    assert_int_equal(fs_open_dir(&fd, path, true, &err), WEIR_DISK);
}

static void write_all_reports_a_full_device(void **state)
{
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, "x", 1, 0), -ENOSPC);
    close(fd);
    struct place *p = *state;
    fd = fs_open_beneath(p->fd, "w", O_RDWR | O_CREAT, 0666, false);
    assert_int_equal(fs_write_all(fd, "cd", 2, 2), 0);
    assert_int_equal(fs_write_all(fd, "ab", 2, 0), 0);
    assert_int_equal(fs_write_all(fd, NULL, 0, 0), 0);
    close(fd);
    assert_text(p->fd, "w", "abcd");
}

static void attributes_are_cut_to_the_buffer(void **state)
{
    struct place *p = *state;
    int fd = fs_open_beneath(p->fd, "x", O_RDWR | O_CREAT, 0666, false);
    char text[8];
    int rc = fs_xattr_set(fd, "user.weir.test", "0123456789", 10);
    if (rc == -ENOTSUP) { /* then the reader says so too */
        assert_int_equal(fs_xattr_get(fd, "user.weir.test", text, sizeof text), -ENOTSUP);
        close(fd);
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(fs_xattr_get(fd, "user.weir.test", text, sizeof text), 7);
    assert_string_equal(text, "0123456");
    assert_int_equal(fs_xattr_get(fd, "user.weir.test", text, 1), 0);
    assert_string_equal(text, "");
    assert_int_equal(fs_xattr_set(fd, "user.weir.test", "", 0), 0);
    assert_int_equal(fs_xattr_get(fd, "user.weir.test", text, sizeof text), 0);
    assert_int_equal(fs_xattr_get(fd, "user.weir.none", text, sizeof text), -ENODATA);
    close(fd);
}

static void temporary_file_has_no_name(void **state)
{
    struct place *p = *state;
    struct stat st;
    int fd = fs_temporary_file();
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0077, 0);
    assert_int_equal(fs_write_all(fd, "x", 1, 0), 0);
    close(fd);
    char missing[96];
    snprintf(missing, sizeof missing, "%s/missing", p->path);
    setenv("TMPDIR", missing, 1);
    assert_int_equal(fs_temporary_file(), -ENOENT);
    unsetenv("TMPDIR");
}

static void free_bytes_and_boot_id_are_told(void **state)
{
    struct place *p = *state;
    assert_true(fs_free_bytes(p->fd) > 0);
    assert_int_equal(fs_free_bytes(-1), -1);
    char a[40], b[40];
    fs_boot_id(a);
    fs_boot_id(b);
    assert_string_equal(a, b);
    assert_true(strlen(a) == 36 || strlen(a) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_outside_is_opened),
        TEST(parents_are_made_on_demand),
        TEST(parent_and_last_component_are_told_apart),
        TEST(rename_keeps_what_exists_unless_told),
        TEST(directory_is_made_with_its_parents),
        TEST(write_all_reports_a_full_device),
        TEST(attributes_are_cut_to_the_buffer),
        TEST(temporary_file_has_no_name),
        TEST(free_bytes_and_boot_id_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
