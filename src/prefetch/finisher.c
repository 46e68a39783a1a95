/* The last steps of a shard: validate, put down, give the name. Two threads, so that one large
 * shard that is read from end to end does not hold up the others.
 *
 * "have" is put down before the rename: a file under its name is ours from its first moment on, and
 * after a crash in between the next run completes the step. So no file that somebody else put under
 * that name is ever taken for ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "prefetch/prefetch_run.h"
#include "prefetch/validate.h"

/* ---- names ---- */

static int rename_into(int dirfd, const char *from, const char *to)
{
    const char *last;
    int folder = fs_open_parent(dirfd, to, true, &last);
    if (folder < 0)
        return folder;
    int rc = 0;
    if (renameat2(dirfd, from, folder, last, RENAME_NOREPLACE) < 0)
        rc = -errno;
    struct stat st;
    if (rc == -EINVAL || rc == -ENOSYS) { /* a file system that cannot promise it */
        if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) == 0)
            rc = -EEXIST;
        else
            rc = renameat(dirfd, from, folder, last) < 0 ? -errno : 0;
    }
    if (folder != dirfd)
        close(folder);
    return rc;
}

status finisher_name(struct weir_prefetch *p, uint64_t index, const char *name, error *err)
{
    char staged[64];
    fetch_name(staged, index);
    int rc = rename_into(p->dirfd, staged, name);
    if (rc == -EEXIST)
        return fail(err, WEIR_NAME,
                    "%s/%s: stands in the way and is not ours; it is left alone, move it away",
                    p->dir, name);
    if (rc)
        return fail_errno(err, rc == -ENOTDIR || rc == -ELOOP ? WEIR_NAME : WEIR_DISK, -rc,
                          "%s/%s: the shard cannot get its name", p->dir, name);
    return OK;
}

/* ---- what is bad ---- */

/* Its bytes stay for whoever wants to look, as long as there is room. */
static void quarantine(struct weir_prefetch *p, uint64_t index, const char *name)
{
    char staged[64], kept[320];
    struct stat st;
    const char *base = strrchr(name, '/');
    fetch_name(staged, index);
    snprintf(kept, sizeof kept, QUARANTINE_FOLDER "/%llu-%.200s", (unsigned long long)index,
             base ? base + 1 : name);
    int rc = renameat(p->dirfd, staged, p->dirfd, kept);
    if (rc < 0 || fstatat(p->dirfd, kept, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    pthread_mutex_lock(&p->lock);
    p->window.other += st.st_size;
    pthread_mutex_unlock(&p->lock);
}

static void decide_locked(struct weir_prefetch *p, uint64_t index, const error *why, bool skip)
{
    window_bad(&p->window, index);
    struct slot *s = window_slot(&p->window, index);
    struct note *n = s ? note_make(s) : NULL;
    if (n) {
        n->why = *why;
        n->skipped = skip;
    }
    p->stats.bad++;
    if (!skip && !p->first_failure.status)
        p->first_failure = *why;
    prefetch_arrived_locked(p);
    prefetch_changed_locked(p);
}

void finisher_refuse(struct weir_prefetch *p, uint64_t index, const error *why, bool content)
{
    bool skip = content && p->options->prefetch_on_bad != ON_BAD_FAIL;
    error err;
    status st = OK;
    pthread_mutex_lock(&p->state_lock);
    if (skip)
        st = cache_state_bad(p, index, why, &err);
    pthread_mutex_lock(&p->lock);
    decide_locked(p, index, why, skip);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->state_lock);
    if (st)
        prefetch_break(p, &err);
    prefetch_say(p, "shard %llu %s: %s", (unsigned long long)index,
                 skip ? "is skipped" : "cannot be had", why->message);
}

/* Would it be there, was it another body? What the network or a server's bad day says of a shard
 * is no reason to pass over it for good. */
static bool is_content(const error *why)
{
    switch (why->status) {
    case WEIR_CHECKSUM:
    case WEIR_DECODE:
    case WEIR_RECORD:
        return true;
    case WEIR_HTTP:
        return why->http_status == 404 || why->http_status == 410;
    default:
        return false;
    }
}

/* ---- one shard ---- */

static bool stopping(struct weir_prefetch *p)
{
    return atomic_load(&p->leaving);
}

static uint32_t tries_allowed(const struct shard *shard)
{
    uint32_t mirrors = 0;
    for (const char *at = shard->mirrors.n ? shard->mirrors.p : ""; *at; at += strlen(at) + 1)
        mirrors++;
    return 1 + mirrors;
}

static status validate(struct weir_prefetch *p, const struct shard_fetch *f,
                       const struct shard *shard, bool *again, error *err)
{
    char staged[64];
    struct strbuf path = {0};
    struct validate_rules rules = {.how = p->options->prefetch_validate,
                                   .command = p->options->prefetch_validate_command,
                                   .leave = &p->leaving,
                                   .leave_fd = p->leave_fd};
    fetch_name(staged, f->index);
    int fd = fs_open_beneath(p->dirfd, staged, O_RDONLY, 0, false);
    if (fd < 0)
        return fail_errno(err, WEIR_DISK, -fd, "%s/%s: cannot be opened", p->dir, staged);
    strbuf_addf(&path, "%s/%s", p->dir, staged);
    status st = validate_file(&rules, fd, strbuf_text(&path), shard->name, again, err);
    strbuf_free(&path);
    close(fd);
    return st;
}

static void refuse(struct weir_prefetch *p, struct shard_fetch *f, const struct shard *shard,
                   bool staged)
{
    bool content = is_content(&f->why);
    if (staged && content && p->options->prefetch_on_bad == ON_BAD_QUARANTINE)
        quarantine(p, f->index, shard->name);
    else
        shard_fetch_remove(p, f->index);
    finisher_refuse(p, f->index, &f->why, content);
    shard_fetch_free(f);
}

/* It is bad: once more, or that is that. */
static void judge_bad(struct weir_prefetch *p, struct shard_fetch *f, const struct shard *shard,
                      bool again)
{
    uint32_t *count = again ? &f->again : &f->tries;
    uint32_t most = again ? (uint32_t)p->options->retry_retries : tries_allowed(shard);
    if (*count >= most) {
        refuse(p, f, shard, true);
        return;
    }
    (*count)++;
    prefetch_say(p, "shard %llu is fetched again: %s", (unsigned long long)f->index,
                 f->why.message);
    pthread_mutex_lock(&p->lock);
    p->stats.refetched++;
    pthread_mutex_unlock(&p->lock);
    shard_fetch_remove(p, f->index);
    shard_fetch_again(f);
}

static status take_in_locked(struct weir_prefetch *p, struct shard_fetch *f, const char *name,
                             const struct stat *st)
{
    window_ready(&p->window, f->index, st->st_size);
    struct slot *s = window_slot(&p->window, f->index);
    struct note *n = s ? note_make(s) : NULL;
    if (!n || !(n->name = strdup(name)))
        return WEIR_NOMEM;
    n->digest = f->digest;
    n->mtime_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
    f->digest = NULL;
    n->started = f->started;
    n->ready = clock_now();
    lookahead_fetched(&p->lookahead, n->started, n->ready);
    return OK;
}

/* Puts it down, names it, and lets it be given out: all under state_lock. */
static status publish(struct weir_prefetch *p, struct shard_fetch *f, const struct shard *shard,
                      error *err)
{
    struct stat st_file;
    char staged[64];
    error out_of_memory = {0};
    fetch_name(staged, f->index);
    if (fstatat(p->dirfd, staged, &st_file, AT_SYMLINK_NOFOLLOW) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s/%s: cannot be looked at", p->dir, staged);
    int64_t mtime = (int64_t)st_file.st_mtim.tv_sec * NS_PER_S + st_file.st_mtim.tv_nsec;
    pthread_mutex_lock(&p->state_lock);
    status st = cache_state_have(p, f->index, st_file.st_size, mtime, f->digest, err);
    if (!st)
        st = finisher_name(p, f->index, shard->name, err);
    if (!st) {
        pthread_mutex_lock(&p->lock);
        status taken = take_in_locked(p, f, shard->name, &st_file);
        prefetch_arrived_locked(p);
        prefetch_changed_locked(p);
        pthread_mutex_unlock(&p->lock);
        if (taken) { /* it is there, for the next run */
            fail(err, taken, "out of memory for %s", shard->name);
            out_of_memory = *err;
        }
    }
    pthread_mutex_unlock(&p->state_lock);
    if (out_of_memory.status)
        prefetch_break(p, &out_of_memory);
    return st;
}

static void drop(struct weir_prefetch *p, struct shard_fetch *f)
{
    pthread_mutex_lock(&p->lock);
    window_give_back(&p->window, f->index, -1);
    pthread_mutex_unlock(&p->lock);
    shard_fetch_free(f);
}

static void finish(struct weir_prefetch *p, struct shard_fetch *f)
{
    struct shard shard = {0};
    bool again = false;
    error err;
    status st = shard_get(p->index, f->index, &shard, &err);
    if (stopping(p)) {
        drop(p, f);
    } else if (st || f->why.status) {
        if (st)
            f->why = err;
        refuse(p, f, &shard, false);
    } else if (validate(p, f, &shard, &again, &f->why)) {
        if (stopping(p))
            drop(p, f);
        else
            judge_bad(p, f, &shard, again);
    } else if ((st = publish(p, f, &shard, &f->why)) != OK) {
        cache_state_gone(p, f->index);
        if (st == WEIR_DISK)
            prefetch_break(p, &f->why);
        refuse(p, f, &shard, false);
    } else {
        shard_fetch_free(f);
    }
    strbuf_free(&shard.buffer);
}

void *finisher_main(void *arg)
{
    struct weir_prefetch *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->finished && !p->finishing_ends)
            pthread_cond_wait(&p->work, &p->lock);
        struct shard_fetch *f = p->finished;
        if (!f)
            break;
        p->finished = f->next;
        if (!p->finished)
            p->finished_end = &p->finished;
        pthread_mutex_unlock(&p->lock);
        finish(p, f);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
