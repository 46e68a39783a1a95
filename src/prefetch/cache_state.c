/* What a cache keeps from run to run: see state_log.h for how, here for what.
 *
 *   list START COUNT HASH MODE RANKS   which positions; HASH is of the names
 *   have INDEX BYTES MTIME DIGEST      this file is ours and complete; put down before it has its
 *                                      name, so that a file is ours when it has one
 *   gone INDEX                         it has been removed
 *   bad INDEX skip CLASS MESSAGE       passed over, for all and for good
 *   consumer RANK BASE BEHIND NAME     BEHIND "-": has never committed. Of a name the highest
 *                                      counts
 *   left NAME
 *   pool BASE                          mode queue
 *   given SEQ RELEASED NAME            mode queue; NAME "-" = to nobody
 *
 * A file that is complete under fetch/ had no time to get its name: it gets it now. A file under
 * its name is ours when its size and time are those put down; all others are left alone. Whatever
 * else lies in fetch/ is resumed or removed: that folder is ours.
 */
#include "prefetch/prefetch_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"

#define COMPACT_MIN ((int64_t)4 << 20)

static const char *const mode_names[] = {"shared", "strided", "queue"};

/* ---- reading the log ---- */

static status damaged(const char *line, error *err)
{
    return fail(err, WEIR_CONFIG,
                "the state of the cache has a line that this version cannot read: \"%.80s\"; "
                "remove " OWN_FOLDER " to begin anew",
                line);
}

static status read_list(struct weir_prefetch *p, const char *line, error *err)
{
    uint64_t start, count, hash;
    char mode[16];
    unsigned ranks;
    const struct reading_rules *u = &p->readers.rules;
    if (sscanf(line, "list %" SCNu64 " %" SCNu64 " %" SCNx64 " %15s %u", &start, &count, &hash,
               mode, &ranks) != 5)
        return damaged(line, err);
    bool grown = count < u->count && u->epochs == 1;
    if (start != u->start || (count != u->count && !grown) ||
        hash != shard_index_hash(p->index, count))
        return fail(err, WEIR_INPUT,
                    "%s: this cache was begun with another list (or --start, --limit); choose "
                    "another --dir, or remove %s/" OWN_FOLDER " to begin anew",
                    p->dir, p->dir);
    if (strcmp(mode, mode_names[u->mode]) != 0 || (u->mode == READ_STRIDED && ranks != u->expected))
        return fail(err, WEIR_CONFIG,
                    "%s: this cache was begun with --mode %s --consumers %u; go on so, or remove "
                    "%s/" OWN_FOLDER " to begin anew",
                    p->dir, mode, ranks, p->dir);
    return OK;
}

static bool is_pinned(const struct weir_prefetch *p, uint64_t index)
{
    uint64_t pin;
    for (size_t i = 0; shard_index_pin(p->index, i, &pin) && pin <= index; i++)
        if (pin == index)
            return true;
    return false;
}

static status read_have(struct weir_prefetch *p, const char *line, error *err)
{
    uint64_t index;
    int64_t bytes, mtime;
    char digest[160];
    if (sscanf(line, "have %" SCNu64 " %" SCNd64 " %" SCNd64 " %159s", &index, &bytes, &mtime,
               digest) != 4)
        return damaged(line, err);
    const struct reading_rules *u = &p->readers.rules;
    if (index < u->start || index >= u->start + u->count)
        return OK;
    status st = window_restore(&p->window, index, SLOT_READY, bytes, is_pinned(p, index), err);
    if (st)
        return st;
    struct slot *s = window_slot(&p->window, index);
    note_free(s);
    struct note *n = note_make(s);
    if (!n)
        return fail(err, WEIR_NOMEM, "out of memory");
    n->mtime_ns = mtime;
    if (strcmp(digest, "-") != 0)
        n->digest = strdup(digest);
    return OK;
}

static void drop(struct weir_prefetch *p, uint64_t index)
{
    struct slot *s = window_slot(&p->window, index);
    if (!s)
        return;
    note_free(s);
    s->state = SLOT_DELETING;
    window_deleted(&p->window, index);
}

static status class_named(const char *name)
{
    for (int i = 0; i < WEIR_STATUS_COUNT; i++)
        if (strcmp(weir_status_name((weir_status)i), name) == 0)
            return (status)i;
    return WEIR_CHECKSUM;
}

static status read_bad(struct weir_prefetch *p, const char *line, error *err)
{
    uint64_t index;
    char class[32];
    int at = 0;
    if (sscanf(line, "bad %" SCNu64 " skip %31s %n", &index, class, &at) != 2 || !at)
        return damaged(line, err);
    const struct reading_rules *u = &p->readers.rules;
    if (index < u->start || index >= u->start + u->count)
        return OK;
    drop(p, index);
    status st = window_restore(&p->window, index, SLOT_BAD, 0, false, err);
    struct note *n = st ? NULL : note_make(window_slot(&p->window, index));
    if (!n)
        return fail(err, WEIR_NOMEM, "out of memory");
    n->skipped = true;
    fail(&n->why, class_named(class), "%s", line + at);
    return OK;
}

static status read_consumer(struct weir_prefetch *p, const char *line, error *err)
{
    unsigned rank;
    uint64_t base, behind = 0;
    char behind_text[24];
    int at = 0;
    uint32_t who;
    if (sscanf(line, "consumer %u %" SCNu64 " %23s %n", &rank, &base, behind_text, &at) != 3 || !at)
        return damaged(line, err);
    bool committed = parse_uint64(span_of(behind_text), &behind);
    bool strided = p->readers.rules.mode == READ_STRIDED;
    status st = readers_join(&p->readers, line + at, strided ? rank : UINT32_MAX, false, &who, err);
    if (st)
        return st;
    struct reader_entry *e = &p->readers.at[who];
    if (e->own.base != base) {
        e->own.base = e->own.high = base;
        e->own.count = 0;
    }
    if (committed && (!e->committed || behind > e->behind))
        e->behind = behind;
    e->committed = e->committed || committed;
    return OK;
}

static status read_given(struct weir_prefetch *p, const char *line, error *err)
{
    uint64_t seq;
    unsigned released;
    int at = 0;
    uint32_t who = NO_READER;
    if (sscanf(line, "given %" SCNu64 " %u %n", &seq, &released, &at) != 2 || !at)
        return damaged(line, err);
    if (strcmp(line + at, "-") == 0)
        return OK; /* it was given back: to be given anew, as if it had never been */
    status st = readers_join(&p->readers, line + at, UINT32_MAX, false, &who, err);
    if (!st)
        st = readers_deliver(&p->readers, who, seq, err);
    if (!st && released)
        st = readers_release(&p->readers, who, seq, err);
    return st;
}

static status read_line(void *ctx, const char *line, error *err)
{
    struct weir_prefetch *p = ctx;
    uint64_t number;
    if (strncmp(line, "list ", 5) == 0)
        return read_list(p, line, err);
    if (strncmp(line, "have ", 5) == 0)
        return read_have(p, line, err);
    if (strncmp(line, "bad ", 4) == 0)
        return read_bad(p, line, err);
    if (strncmp(line, "consumer ", 9) == 0)
        return read_consumer(p, line, err);
    if (strncmp(line, "given ", 6) == 0)
        return read_given(p, line, err);
    if (sscanf(line, "gone %" SCNu64, &number) == 1) {
        drop(p, number);
        return OK;
    }
    if (sscanf(line, "pool %" SCNu64, &number) == 1) {
        p->readers.pool.base = p->readers.pool.high = number;
        return OK;
    }
    if (strncmp(line, "left ", 5) == 0) {
        uint32_t who = readers_find(&p->readers, line + 5);
        if (who != NO_READER)
            readers_forget(&p->readers, who);
        return OK;
    }
    return damaged(line, err);
}

/* ---- writing it anew ---- */

static void add_consumer_line(struct strbuf *out, const char *name, uint32_t rank, uint64_t base,
                              bool committed, uint64_t behind)
{
    strbuf_addf(out, "consumer %u %" PRIu64 " ", rank, base);
    if (committed)
        strbuf_addf(out, "%" PRIu64, behind);
    else
        strbuf_addc(out, '-');
    strbuf_addf(out, " %s", name);
}

static void add_bad_line(struct strbuf *out, uint64_t index, const error *why)
{
    strbuf_addf(out, "bad %" PRIu64 " skip %s %s", index, weir_status_name(why->status),
                *why->message ? why->message : "-");
}

static void add_have_line(struct strbuf *out, uint64_t index, int64_t bytes, int64_t mtime_ns,
                          const char *digest)
{
    strbuf_addf(out, "have %" PRIu64 " %" PRId64 " %" PRId64 " %s", index, bytes, mtime_ns,
                digest ? digest : "-");
}

static void add_list_line(struct strbuf *out, const struct weir_prefetch *p)
{
    const struct reading_rules *u = &p->readers.rules;
    strbuf_addf(out, "list %" PRIu64 " %" PRIu64 " %" PRIx64 " %s %u", u->start, u->count,
                shard_index_hash(p->index, u->count), mode_names[u->mode], u->expected);
}

static void add_slots(struct strbuf *out, struct weir_prefetch *p)
{
    for (size_t i = 0; i < p->window.count; i++) {
        struct slot *s = &p->window.slots[i];
        const struct note *n = note_of(s);
        if (!n)
            continue;
        if (s->state == SLOT_READY) {
            add_have_line(out, s->index, s->size, n->mtime_ns, n->digest);
            strbuf_addc(out, '\n');
        } else if (s->state == SLOT_BAD && n->skipped) {
            add_bad_line(out, s->index, &n->why);
            strbuf_addc(out, '\n');
        }
    }
}

static void add_readers(struct strbuf *out, struct weir_prefetch *p)
{
    const struct readers *r = &p->readers;
    bool queue = r->rules.mode == READ_QUEUE;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct reader_entry *e = &r->at[i];
        if (!e->used || !e->joined)
            continue;
        add_consumer_line(out, e->name, e->rank, e->own.base, e->committed, e->behind);
        strbuf_addc(out, '\n');
    }
    if (queue)
        strbuf_addf(out, "pool %" PRIu64 "\n", r->pool.base);
    for (size_t i = 0; queue && i < r->pool.count; i++) {
        const struct held *h = &r->pool.held[i];
        if (h->owner != NO_READER)
            strbuf_addf(out, "given %" PRIu64 " %d %s\n", h->seq, h->released,
                        r->at[h->owner].name);
    }
}

/* With state_lock held. */
static status rewrite(struct weir_prefetch *p, error *err)
{
    struct strbuf text = {.max = (size_t)1 << 30};
    add_list_line(&text, p);
    strbuf_addc(&text, '\n');
    pthread_mutex_lock(&p->lock);
    add_slots(&text, p);
    add_readers(&text, p);
    pthread_mutex_unlock(&p->lock);
    status st = state_log_rewrite(p->log, &text, err);
    strbuf_free(&text);
    p->log_compact_at = 4 * state_log_size(p->log);
    if (p->log_compact_at < COMPACT_MIN)
        p->log_compact_at = COMPACT_MIN;
    return st;
}

/* With state_lock held. Frees the line. */
static status append(struct weir_prefetch *p, struct strbuf *line, bool sync, error *err)
{
    status st = line->failed ? fail(err, WEIR_NOMEM, "out of memory")
                             : state_log_append(p->log, strbuf_text(line), sync, err);
    strbuf_free(line);
    return st;
}

/* ---- the folder ---- */

static status open_folders(struct weir_prefetch *p, error *err)
{
    status st = fs_open_dir(&p->dirfd, p->options->save_dir, true, err);
    if (st)
        return st;
    p->dir = realpath(p->options->save_dir, NULL);
    if (!p->dir)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be found again", p->options->save_dir);
    static const char *const names[] = {OWN_FOLDER, FETCH_FOLDER, QUARANTINE_FOLDER};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mkdirat(p->dirfd, names[i], 0777) < 0 && errno != EEXIST)
            return fail_errno(err, WEIR_DISK, errno, "%s/%s: cannot be made", p->dir, names[i]);
    int fd = fs_open_beneath(p->dirfd, OWN_FOLDER, O_RDONLY | O_DIRECTORY, 0, false);
    if (fd < 0)
        return fail_errno(err, WEIR_DISK, -fd, "%s/" OWN_FOLDER ": cannot be opened", p->dir);
    p->own_fd = fd;
    return OK;
}

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

static bool is_there(int dirfd, const char *name, const struct slot *s, const struct note *n)
{
    struct stat st;
    int fd = fs_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0, false);
    bool there = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == s->size &&
                 mtime_of(&st) == n->mtime_ns;
    if (fd >= 0)
        close(fd);
    return there;
}

/* Is what the log says true of the disk? Completes what was cut off between the two. */
static status check_slot(struct weir_prefetch *p, struct slot *s, bool *there, error *err)
{
    struct shard shard = {0};
    char staged[64];
    struct note *n = note_of(s);
    error ignored;
    fetch_name(staged, s->index);
    status st = shard_get(p->index, s->index, &shard, err);
    if (!st) {
        n->name = strdup(shard.name);
        *there = is_there(p->dirfd, shard.name, s, n) ||
                 (is_there(p->dirfd, staged, s, n) &&
                  finisher_name(p, s->index, shard.name, &ignored) == OK);
    }
    strbuf_free(&shard.buffer);
    return st || n->name ? st : fail(err, WEIR_NOMEM, "out of memory");
}

static status check_slots(struct weir_prefetch *p, error *err)
{
    for (size_t i = 0; i < p->window.count;) {
        struct slot *s = &p->window.slots[i];
        bool there = true;
        status st = s->state == SLOT_READY ? check_slot(p, s, &there, err) : OK;
        if (st)
            return st;
        if (there)
            i++;
        else
            drop(p, s->index);
    }
    return OK;
}

/* Calls `on_file` for each file of a folder of ours. */
static void each_file(struct weir_prefetch *p, const char *folder,
                      void (*on_file)(struct weir_prefetch *p, int dirfd, const char *name))
{
    int fd = fs_open_beneath(p->dirfd, folder, O_RDONLY | O_DIRECTORY, 0, false);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            on_file(p, dirfd(dir), entry->d_name);
    closedir(dir);
}

/* Parts may be gone on with, as long as they are among what will be fetched next. */
static void clean_fetch(struct weir_prefetch *p, int dirfd, const char *name)
{
    char *end;
    uint64_t index = strtoull(name, &end, 10);
    struct slot *s = window_slot(&p->window, index);
    bool part = strcmp(end, ".part") == 0 || strcmp(end, ".part.resume") == 0;
    const struct reading_rules *u = &p->readers.rules;
    bool taken = index >= u->start && index - u->start < u->count;
    uint64_t next = taken ? readers_next_use(&p->readers, index) : NO_SEQ;
    uint64_t base = NO_SEQ;
    struct stat st;
    error err;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(&p->readers, i);
        if (c && c->base < base)
            base = c->base;
    }
    bool soon = next != NO_SEQ && next - base <= p->window.rules.fetching_max;
    bool keep = part && soon && (!s || s->state == SLOT_LEARNT) &&
                fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (keep && strcmp(end, ".part") == 0)
        keep = window_restore(&p->window, index, SLOT_LEARNT, st.st_size, false, &err) == OK;
    if (!keep)
        unlinkat(dirfd, name, 0);
}

static void count_quarantine(struct weir_prefetch *p, int dirfd, const char *name)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        p->window.other += st.st_size;
}

status cache_state_open(struct weir_prefetch *p, error *err)
{
    status st = open_folders(p, err);
    if (!st)
        st = state_log_open(&p->log, p->own_fd, p->dir, read_line, p, err);
    if (!st)
        st = check_slots(p, err);
    if (st)
        return st;
    each_file(p, FETCH_FOLDER, clean_fetch);
    each_file(p, QUARANTINE_FOLDER, count_quarantine);
    /* The use that each file serves is known only now that all consumers are. */
    for (size_t i = 0; i < p->window.count; i++) {
        struct slot *s = &p->window.slots[i];
        s->use = readers_next_use(&p->readers, s->index);
        s->opened = s->use != NO_SEQ && readers_begun(&p->readers, s->use);
    }
    return rewrite(p, err);
}

void cache_state_close(struct weir_prefetch *p)
{
    state_log_close(p->log);
    p->log = NULL;
    if (p->own_fd >= 0)
        close(p->own_fd);
    if (p->dirfd >= 0)
        close(p->dirfd);
    free(p->dir);
    p->own_fd = p->dirfd = -1;
    p->dir = NULL;
}

/* ---- what happens ---- */

status cache_state_have(struct weir_prefetch *p, uint64_t index, int64_t bytes, int64_t mtime_ns,
                        const char *digest, error *err)
{
    struct strbuf line = {0};
    add_have_line(&line, index, bytes, mtime_ns, digest);
    return append(p, &line, p->options->save_durability != DURABILITY_NONE, err);
}

/* Not synced: a file that is missing is gone. Here the log is kept short, too. */
void cache_state_gone(struct weir_prefetch *p, uint64_t index)
{
    struct strbuf line = {0};
    error err;
    strbuf_addf(&line, "gone %" PRIu64, index);
    pthread_mutex_lock(&p->state_lock);
    status st = append(p, &line, false, &err);
    if (!st && state_log_size(p->log) > p->log_compact_at)
        st = rewrite(p, &err);
    pthread_mutex_unlock(&p->state_lock);
    if (st)
        prefetch_break(p, &err);
}

status cache_state_bad(struct weir_prefetch *p, uint64_t index, const error *why, error *err)
{
    struct strbuf line = {0};
    add_bad_line(&line, index, why);
    return append(p, &line, true, err);
}

status cache_state_consumer(struct weir_prefetch *p, const char *name, uint32_t rank, uint64_t base,
                            bool committed, uint64_t behind, bool sync, error *err)
{
    struct strbuf line = {0};
    add_consumer_line(&line, name, rank, base, committed, behind);
    return append(p, &line, sync, err);
}

status cache_state_left(struct weir_prefetch *p, const char *name, error *err)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "left %s", name);
    return append(p, &line, true, err);
}

status cache_state_given(struct weir_prefetch *p, uint64_t seq, const char *name, bool released,
                         error *err)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "given %" PRIu64 " %d %s", seq, released, name);
    return append(p, &line, false, err);
}

/* ---- the quarantine ---- */

struct oldest {
    char name[256];
    int64_t mtime_ns, bytes;
};

int64_t cache_state_clear(struct weir_prefetch *p)
{
    struct oldest best = {.mtime_ns = INT64_MAX};
    int fd = fs_open_beneath(p->dirfd, QUARANTINE_FOLDER, O_RDONLY | O_DIRECTORY, 0, false);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    struct stat st;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            mtime_of(&st) < best.mtime_ns) {
            best.mtime_ns = mtime_of(&st);
            best.bytes = st.st_size;
            snprintf(best.name, sizeof best.name, "%s", entry->d_name);
        }
    if (*best.name && unlinkat(fd, best.name, 0) < 0)
        best.bytes = 0;
    closedir(dir);
    return best.bytes;
}
