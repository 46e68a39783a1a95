/* Bodies by path. One thread. */
#include "fault_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_body.h"

/* "/r/SEED/SIZE..." */
static bool read_seed_and_size(struct source *s, struct part path)
{
    const char *at = path.data + 3, *end = path.data + path.size;
    const char *slash = memchr(at, '/', (size_t)(end - at));
    if (!slash || slash + 1 >= end || slash[1] < '0' || slash[1] > '9')
        return false;
    s->seed = fault_seed(at, (size_t)(slash - at));
    char number[32] = "";
    size_t n = (size_t)(end - slash - 1);
    memcpy(number, slash + 1, n < sizeof number ? n : sizeof number - 1);
    s->size = strtoll(number, NULL, 10);
    return true;
}

/* "/f/FILE...", or the file that takes its place. */
static bool open_file(struct source *s, const struct library *library, const struct request *r,
                      unsigned version)
{
    char name[256] = "";
    const char *at = r->path.data + 3, *end = r->path.data + r->path.size;
    const char *slash = memchr(at, '/', (size_t)(end - at));
    size_t n = (size_t)((slash ? slash : end) - at);
    memcpy(name, at, n < sizeof name ? n : sizeof name - 1);
    if (version > 0)
        request_fault(r, "then", name, sizeof name);
    if (library->folder < 0 || name[0] == '.' || strchr(name, '/'))
        return false;
    s->file = openat(library->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->file < 0)
        return false;
    s->kind = SOURCE_FILE;
    struct stat about;
    if (fstat(s->file, &about) || !S_ISREG(about.st_mode)) {
        source_close(s);
        return false;
    }
    s->seed = fault_seed(name, strlen(name));
    s->file_size = about.st_size;
    s->size = about.st_size * request_number(r, "repeat", 1);
    return true;
}

bool source_open(struct source *s, struct library *library, const struct request *r,
                 unsigned version)
{
    *s = (struct source){.kind = SOURCE_NONE};
    if (r->path.size < 4 || r->path.data[0] != '/' || r->path.data[2] != '/')
        return false;
    char kind = r->path.data[1];
    if (kind == 'f')
        return open_file(s, library, r, version);
    if (!strchr("rtj", kind) || !read_seed_and_size(s, r->path))
        return false;
    s->kind = kind == 'r' ? SOURCE_RANDOM : SOURCE_LINES;
    if (s->kind == SOURCE_LINES) {
        enum lines_kind lines = kind == 'j' ? LINES_OF_JSON : LINES_OF_LOG;
        if (!library->stock[lines])
            library->stock[lines] = lines_stock_new(lines);
        s->stock = library->stock[lines];
    }
    if (version > 0) {
        s->size += request_number(r, "grow", 0);
        s->size = s->size < 0 ? 0 : s->size;
    }
    return true;
}

void source_close(struct source *s)
{
    if (s->kind == SOURCE_FILE)
        close(s->file);
    *s = (struct source){.kind = SOURCE_NONE};
}

static void read_file(const struct source *s, uint64_t from, char *out, size_t size)
{
    while (size > 0) {
        uint64_t at = from % (uint64_t)s->file_size;
        size_t left = (size_t)((uint64_t)s->file_size - at);
        ssize_t n = pread(s->file, out, size < left ? size : left, (off_t)at);
        if (n <= 0) { /* it has become shorter, which no test wants */
            fprintf(stderr, "faultd: a file of --files changed while it was read\n");
            exit(1);
        }
        out += n;
        from += (uint64_t)n;
        size -= (size_t)n;
    }
}

void source_read(const struct source *s, uint64_t from, char *out, size_t size)
{
    if (s->kind == SOURCE_LINES)
        lines_fill(s->stock, s->seed, from, out, size);
    else if (s->kind == SOURCE_FILE)
        read_file(s, from, out, size);
    else
        fault_fill(s->seed, from, out, size);
}
