/* A folder of its own for each test, and records to put into a journal there. */
#ifndef WEIR_JOURNAL_FIXTURE_H
#define WEIR_JOURNAL_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/journal.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define DIR_A "/data/mirror"

struct folder {
    char path[64];
    char journal[80];
};

static inline int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/weir_journal.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->journal, sizeof f->journal, "%s/j.db", f->path);
    *state = f;
    return 0;
}

/* Calls `each` with the full name of every file of the folder; how many there are. */
static inline int each_file(const struct folder *f, void (*each)(const char *path))
{
    DIR *dir = opendir(f->path);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        if (entry->d_name[0] == '.')
            continue;
        n++;
        snprintf(path, sizeof path, "%s/%s", f->path, entry->d_name);
        if (each)
            each(path);
    }
    closedir(dir);
    return n;
}

static inline void remove_file(const char *path)
{
    if (unlink(path) < 0)
        rmdir(path);
}

static inline int remove_folder(void **state)
{
    struct folder *f = *state;
    each_file(f, remove_file);
    assert_int_equal(rmdir(f->path), 0);
    free(f);
    return 0;
}

static inline struct journal *open_journal(const struct folder *f)
{
    struct journal *j = NULL;
    error err;
    error_clear(&err);
    if (journal_open(&j, f->journal, DIR_A, &err))
        print_error("%s\n", err.message);
    assert_non_null(j);
    return j;
}

static char entry_url[64];

/* Record i, done. */
static inline struct journal_entry entry_of(int i)
{
    struct journal_entry e;
    journal_entry_init(&e);
    snprintf(entry_url, sizeof entry_url, "http://h%d.example/f/%07d", i % 3, i);
    e.url = entry_url;
    e.path = entry_url + 20;
    e.bytes = i;
    e.attempts = 1;
    e.ended_ms = 1000 + i;
    return e;
}

static inline struct journal_entry failed_entry(int i, status class, int http_status)
{
    struct journal_entry e = entry_of(i);
    e.state = JOURNAL_FAILED;
    e.failed_as = class;
    e.http_status = http_status;
    return e;
}

static inline void put_entry(struct journal *j, struct journal_entry e)
{
    error err;
    assert_int_equal(journal_put(j, &e, &err), OK);
}

static inline void commit(struct journal *j)
{
    error err;
    assert_int_equal(journal_commit(j, &err), OK);
}

/* Records from..to - 1, in groups. */
static inline void put_done(struct journal *j, int from, int to)
{
    for (int i = from; i < to; i++) {
        put_entry(j, entry_of(i));
        if (i % 1024 == 1023 || i == to - 1)
            commit(j);
    }
}

/* The bytes that are known of record i; -1: it is not known. */
static inline int64_t known_bytes(struct journal *j, int i)
{
    struct journal_entry want = entry_of(i), got;
    error err;
    status st = journal_find(j, want.url, "", &got, &err);
    if (st == WEIR_END)
        return -1;
    assert_int_equal(st, OK);
    assert_string_equal(got.url, want.url);
    return got.bytes;
}

static inline void assert_known(struct journal *j, int from, int to, bool known)
{
    for (int i = from; i < to; i++)
        if (known_bytes(j, i) != (known ? i : -1))
            fail_msg("record %d: %lld", i, (long long)known_bytes(j, i));
}

/* All bytes of a file, as text for comparing; NULL: there is no such file. *size may be NULL. */
static inline char *file_bytes(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (size)
        *size = 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    if (size)
        *size = (size_t)st.st_size;
    return bytes;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* Runs `work` in a process of its own; its wait status. */
static inline int in_child(void (*work)(const struct folder *f), const struct folder *f)
{
    int ended;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    return ended;
}

#endif
