/* See presence.h. Read by the run's own thread, asked by the feeder. */
#include "engine/presence.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

#define ENTRIES_MAX 4096

struct presence {
    size_t count;
    uint64_t stems[ENTRIES_MAX]; /* hashes, sorted */
};

/* "name", "name.part" and "name.part.resume" stand for the same name. */
static uint64_t stem_hash(const char *name, size_t n)
{
    static const char *const endings[] = {".part", ".part.resume"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t e = strlen(endings[i]);
        if (n > e && memcmp(name + n - e, endings[i], e) == 0) {
            n -= e;
            break;
        }
    }
    return hash64(name, n);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool is_self_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct presence *presence_read(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct presence *p = malloc(sizeof *p);
    if (!dir || !p) {
        if (dir)
            closedir(dir);
        else if (fd >= 0)
            close(fd);
        free(p);
        return NULL;
    }
    p->count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL && p->count < ENTRIES_MAX)
        if (!is_self_or_parent(entry->d_name))
            p->stems[p->count++] = stem_hash(entry->d_name, strlen(entry->d_name));
    closedir(dir);
    if (p->count == ENTRIES_MAX) {
        free(p);
        return NULL;
    }
    qsort(p->stems, p->count, sizeof *p->stems, compare);
    return p;
}

void presence_free(struct presence *p)
{
    free(p);
}

bool presence_possible(const struct presence *p, const char *name)
{
    if (!p)
        return true;
    uint64_t stem = stem_hash(name, strcspn(name, "/"));
    return bsearch(&stem, p->stems, p->count, sizeof *p->stems, compare) != NULL;
}
