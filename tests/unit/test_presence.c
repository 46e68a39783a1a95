/* What the directory held before: a "no" must be certain, a "perhaps" may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/presence.h"

#include <cmocka.h>

static int make_directory(char path[64])
{
    snprintf(path, 64, "/tmp/weir-presence-XXXXXX");
    assert_non_null(mkdtemp(path));
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void touch(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void remove_directory(int dirfd, const char *path, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (unlinkat(dirfd, names[i], 0) < 0)
            unlinkat(dirfd, names[i], AT_REMOVEDIR);
    close(dirfd);
    assert_int_equal(rmdir(path), 0);
}

static void files_parts_and_folders_are_remembered(void **state)
{
    static const char *const there[] = {"a", "b.part", "c.part.resume", "folder"};
    char path[64];
    int dirfd = make_directory(path);
    for (int i = 0; i < 3; i++)
        touch(dirfd, there[i]);
    assert_int_equal(mkdirat(dirfd, "folder", 0700), 0);
    struct presence *p = presence_read(dirfd);
    assert_non_null(p);
    assert_true(presence_possible(p, "a"));
    assert_true(presence_possible(p, "b"));
    assert_true(presence_possible(p, "c"));
    assert_true(presence_possible(p, "folder/x/y"));
    assert_true(presence_possible(p, "a/x")); /* a file where a folder is wanted */
    assert_false(presence_possible(p, "d"));
    assert_false(presence_possible(p, "other/a"));
    presence_free(p);
    remove_directory(dirfd, path, there, 4);
}

static void a_crowded_directory_is_not_read_through(void **state)
{
    char path[64], name[16];
    int dirfd = make_directory(path);
    for (int i = 0; i < 4096; i++) {
        snprintf(name, sizeof name, "%d", i);
        touch(dirfd, name);
    }
    assert_null(presence_read(dirfd));
    assert_true(presence_possible(NULL, "anything"));
    for (int i = 0; i < 4096; i++) {
        snprintf(name, sizeof name, "%d", i);
        unlinkat(dirfd, name, 0);
    }
    remove_directory(dirfd, path, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_parts_and_folders_are_remembered),
        cmocka_unit_test(a_crowded_directory_is_not_read_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
