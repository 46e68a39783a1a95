/* See journaling.h. */
#include "engine/journaling.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "engine/plan.h"

status journaling_open(struct weir_engine *e, error *err)
{
    const char *path = e->options->journal_path;
    if (!path || !*path || e->dry_run || e->no_reports || e->verify == WEIR_VERIFY_ONLY)
        return OK;
    if (e->sends)
        return fail(err, WEIR_USAGE,
                    "a journal is of downloads; leave out --journal: --failed FILE keeps what is "
                    "left to send, --on-exist skip passes over what has arrived");
    if (!plan_saves_files(e))
        return fail(err, WEIR_USAGE,
                    "a journal is of files; what goes to %s cannot be done by halves: leave out "
                    "--journal or give --dir",
                    e->out_name ? e->out_name : "a stream");
    char *dir = realpath(e->options->save_dir, NULL);
    if (!dir)
        return fail_errno(err, WEIR_DISK, errno, "%s: its path cannot be found",
                          e->options->save_dir);
    status st = journal_open(&e->journal, path, dir, err);
    free(dir);
    return st;
}

void journaling_close(struct weir_engine *e)
{
    journal_close(e->journal);
    e->journal = NULL;
}

/* Of the file of that name; -1: there is none. */
static int64_t size_of(const struct weir_engine *e, const char *path)
{
    struct stat st;
    int fd = path && e->dirfd >= 0 ? fs_open_beneath(e->dirfd, path, O_PATH, 0, false) : -1;
    if (fd < 0)
        return -1;
    int64_t size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
    close(fd);
    return size;
}

status journaling_knows(struct weir_engine *e, const char *url, const char *list_name,
                        enum known *known, struct journal_entry *entry, error *err)
{
    *known = KNOWN_NOT;
    if (!e->journal)
        return OK;
    status st = journal_find(e->journal, url, list_name, entry, err);
    if (st == WEIR_END)
        return OK;
    if (!st && entry->state == JOURNAL_REPLACING)
        *known = KNOWN_REPLACING;
    if (!st && entry->state == JOURNAL_DONE && size_of(e, entry->path) == entry->bytes)
        *known = KNOWN_DONE;
    return st;
}

static void describe(struct journal_entry *out, const struct outcome *o)
{
    const struct job *job = o->job;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    journal_entry_init(out);
    out->url = job_text(job, job->url);
    out->name = job->list_name ? job_text(job, job->list_name) : "";
    out->path = o->path ? o->path : job_text(job, job->name);
    out->digest = o->digest;
    out->origin = o->held;
    out->bytes = o->bytes;
    out->attempts = job->attempts;
    out->http_status = o->http_status;
    out->ended_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (job->started && o->ended > job->started)
        out->duration_ms = (int64_t)(o->ended - job->started) / NS_PER_MS;
    out->line = job->line;
    out->id = job_text(job, job->id);
    out->wanted_size = job->size;
    out->mirrors = job_list(job, job->mirrors);
    out->digests = job_list(job, job->digests);
    out->extra = job_pairs(job, job->extra);
}

/* Of a run that was stopped, what was not done is as if it had not been begun. A file that is
 * skipped on evidence was done by a run without this journal, or one that was killed just before it
 * could put that down. */
static bool is_of_journal(const struct outcome *o)
{
    const struct job *job = o->job;
    if (o->result == WEIR_SKIPPED)
        return job->to_file && job->exists && !job->unchecked && !job->journaled;
    return job->to_file && !o->silent;
}

status journaling_intend(struct weir_engine *e, struct outcome **group, size_t n, error *err)
{
    status st = OK;
    bool any = false;
    if (!e->journal)
        return OK;
    for (size_t i = 0; i < n && !st; i++) {
        struct journal_entry entry;
        if (!group[i]->job->overwrite || !is_of_journal(group[i]))
            continue;
        describe(&entry, group[i]);
        entry.state = JOURNAL_REPLACING;
        st = journal_put(e->journal, &entry, err);
        any = true;
    }
    return st || !any ? st : journal_commit(e->journal, err);
}

status journaling_put(struct weir_engine *e, const struct outcome *o, error *err)
{
    struct journal_entry entry;
    if (!e->journal || !is_of_journal(o))
        return OK;
    describe(&entry, o);
    if (o->result == WEIR_SKIPPED)
        entry.bytes = size_of(e, entry.path);
    entry.state = o->result == WEIR_FAILED ? JOURNAL_FAILED : JOURNAL_DONE;
    if (entry.state == JOURNAL_FAILED)
        entry.failed_as = o->error ? o->error->status : WEIR_CANCELLED;
    return journal_put(e->journal, &entry, err);
}

status journaling_commit(struct weir_engine *e, error *err)
{
    return e->journal ? journal_commit(e->journal, err) : OK;
}
