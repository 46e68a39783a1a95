/* The planner: does what the window decides, one deed after the other. One thread; it sleeps until
 * something has changed, or a consumer has been gone for long enough, or, while the disk is low,
 * for a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "prefetch/prefetch_run.h"

#define LOW_CHECK NS_PER_S
#define AGE_CHECK (NS_PER_S / 4) /* ahead = auto: has a fetch under way become an old one? */

/* ---- files ---- */

static int unlink_beneath(int dirfd, const char *name)
{
    const char *last;
    int folder = fs_open_parent(dirfd, name, false, &last);
    if (folder < 0)
        return folder;
    int rc = unlinkat(folder, last, 0) < 0 ? -errno : 0;
    if (folder != dirfd)
        close(folder);
    return rc;
}

/* Is it still the file that we have put there? */
static bool is_ours(struct weir_prefetch *p, const char *name, int64_t size, int64_t mtime_ns)
{
    struct stat st;
    int fd = fs_open_beneath(p->dirfd, name, O_PATH, 0, false);
    bool ours = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size &&
                (int64_t)st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec == mtime_ns;
    bool gone = fd == -ENOENT;
    if (fd >= 0)
        close(fd);
    if (!ours && !gone)
        prefetch_say(p, "%s/%s: has been changed by somebody else and is left alone", p->dir, name);
    return ours;
}

/* Only what was put down as ours, under the name that it was given. */
static void delete_ready(struct weir_prefetch *p, uint64_t index)
{
    struct strbuf name = {0};
    int64_t size = -1, mtime_ns = 0;
    pthread_mutex_lock(&p->lock);
    const struct slot *s = window_slot(&p->window, index);
    const struct note *n = s ? s->extra : NULL;
    if (n && n->name) {
        strbuf_adds(&name, n->name);
        size = s->size;
        mtime_ns = n->mtime_ns;
    }
    pthread_mutex_unlock(&p->lock);
    if (name.n && is_ours(p, name.p, size, mtime_ns)) {
        int rc = unlink_beneath(p->dirfd, name.p);
        if (rc && rc != -ENOENT)
            prefetch_say(p, "%s/%s: cannot be removed: %s", p->dir, name.p, strerror(-rc));
    }
    strbuf_free(&name);
    cache_state_gone(p, index);
}

static void delete_shard(struct weir_prefetch *p, uint64_t index, bool part)
{
    if (part)
        shard_fetch_remove(p, index);
    else
        delete_ready(p, index);
    pthread_mutex_lock(&p->lock);
    note_free(window_slot(&p->window, index));
    window_deleted(&p->window, index);
    pthread_mutex_unlock(&p->lock);
}

static void clear_quarantine(struct weir_prefetch *p)
{
    int64_t bytes = cache_state_clear(p);
    pthread_mutex_lock(&p->lock);
    p->window.other = bytes && bytes < p->window.other ? p->window.other - bytes : 0;
    pthread_mutex_unlock(&p->lock);
}

/* ---- deeds ---- */

static void never_fits(struct weir_prefetch *p, const struct window_action *a)
{
    struct shard shard = {0};
    struct strbuf beside = {0};
    error err;
    status st = shard_get(p->index, a->index, &shard, &err);
    if (a->pinned)
        strbuf_addf(&beside, ", %lld of which pinned shards take", (long long)a->pinned);
    if (a->kept)
        strbuf_addf(&beside, "%s %lld %s kept behind", a->pinned ? " and" : ", of which",
                    (long long)a->kept, a->pinned ? "those" : "are");
    if (!st)
        fail(&err, WEIR_POLICY,
             "%s: can never fit: it has %lld bytes, the budget is %lld%s; raise --budget to %lld "
             "or more",
             shard.name, (long long)a->size, (long long)p->options->prefetch_budget,
             strbuf_text(&beside), (long long)(a->size + a->pinned + a->kept));
    strbuf_free(&beside);
    strbuf_free(&shard.buffer);
    finisher_refuse(p, a->index, &err, false);
}

static void take(struct weir_prefetch *p, const struct window_action *a)
{
    error err;
    if (shard_fetch_start(p, a->index, a->urgent, &err) == OK)
        return;
    pthread_mutex_lock(&p->lock);
    window_give_back(&p->window, a->index, -1);
    pthread_mutex_unlock(&p->lock);
    prefetch_break(p, &err);
}

static void carry_out(struct weir_prefetch *p, const struct window_action *a)
{
    switch (a->deed) {
    case WINDOW_TAKE:
        take(p, a);
        break;
    case WINDOW_DELETE:
        delete_shard(p, a->index, a->part);
        break;
    case WINDOW_CLEAR:
        clear_quarantine(p);
        break;
    case WINDOW_NEVER_FITS:
        never_fits(p, a);
        break;
    case WINDOW_NOTHING:
        break;
    }
}

/* ---- looking ---- */

/* The disk is shared with others: it is looked at before each round. */
static void check_disk(struct weir_prefetch *p)
{
    int64_t left = fs_free_bytes(p->dirfd), warn = p->options->prefetch_warn_free;
    pthread_mutex_lock(&p->lock);
    bool low = left >= 0 && left < p->min_free;
    bool say_low = low && !p->low;
    bool say_warn = !low && warn > 0 && left >= 0 && left < warn && !p->said_low;
    p->low = p->window.drained = low;
    p->said_low = say_warn || (p->said_low && left < warn + warn / 10);
    pthread_mutex_unlock(&p->lock);
    if (say_low)
        prefetch_say(p,
                     "%s: %lld bytes are free, less than save.min_free, %lld: nothing more is "
                     "fetched until there is room",
                     p->dir, (long long)left, (long long)p->min_free);
    else if (say_warn)
        prefetch_say(p, "%s: the disk gets low, %lld bytes are free", p->dir, (long long)left);
}

static uint64_t oldest_age_locked(const struct weir_prefetch *p, uint64_t now)
{
    uint64_t age = 0;
    for (const struct shard_fetch *f = p->live; f; f = f->live_next)
        if (now > f->started && now - f->started > age)
            age = now - f->started;
    return age;
}

static void note_peak_locked(struct weir_prefetch *p)
{
    int64_t bytes = p->window.used + p->window.other;
    if (bytes > p->stats.disk_peak_bytes)
        p->stats.disk_peak_bytes = bytes;
}

/* The front finds no room because of what consumers hold, and all who could change that wait: said
 * once until it has gone on. */
static bool must_say_blocked_locked(struct weir_prefetch *p)
{
    bool waits = false, works = false;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct reader_entry *e = &p->readers.at[i];
        bool has_more = e->joined && readers_next(&p->readers, i) != NO_SEQ;
        waits = waits || (has_more && p->window.waiting[i] != NO_SEQ);
        works = works || (has_more && p->window.waiting[i] == NO_SEQ);
    }
    bool blocked = p->window.blocked && waits && !works && !p->window.fetching;
    bool say = blocked && !p->said_blocked;
    p->said_blocked = blocked;
    return say;
}

static struct window_action decide(struct weir_prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t now = clock_now();
    p->window.rules.ahead = lookahead_value(&p->lookahead, oldest_age_locked(p, now));
    if (!p->filled && p->window.rules.ahead < (uint64_t)p->options->prefetch_prefill)
        p->window.rules.ahead = (uint64_t)p->options->prefetch_prefill;
    struct window_action a = {.deed = WINDOW_NOTHING};
    p->window.closing = p->stopping;
    for (uint32_t i = 0; i < READERS_MAX; i++)
        p->window.away[i] = p->presence[i].by_connection && !p->presence[i].connections;
    a = window_next(&p->window);
    note_peak_locked(p);
    int64_t used = p->window.used;
    bool say = a.deed == WINDOW_NOTHING && must_say_blocked_locked(p);
    pthread_mutex_unlock(&p->lock);
    if (say)
        prefetch_say(p,
                     "all consumers wait for a shard that finds no room: %lld bytes of the budget "
                     "of %lld are held by shards that are not released, not committed or kept, or "
                     "that a consumer who has not come yet will read; release or commit, or raise "
                     "--budget",
                     (long long)used, (long long)p->options->prefetch_budget);
    return a;
}

/* False: it is over. */
static bool wait_for_change(struct weir_prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t now = clock_now(), due = desk_next_deadline_locked(p);
    if (p->low && now + LOW_CHECK < due)
        due = now + LOW_CHECK;
    if (p->live && !p->lookahead.fixed && now + AGE_CHECK < due)
        due = now + AGE_CHECK;
    struct timespec at = clock_timespec(due);
    int rc = 0;
    while (!p->planned && !p->stopping && !rc)
        rc = due == TIME_NEVER ? pthread_cond_wait(&p->plan, &p->lock)
                               : pthread_cond_timedwait(&p->plan, &p->lock, &at);
    p->planned = false;
    bool more = !p->stopping;
    pthread_mutex_unlock(&p->lock);
    return more;
}

/* prefetch.prefill: until so many are there, or no more can be. */
static void open_gate(struct weir_prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->filled) {
        uint64_t ready = 0;
        for (size_t i = 0; i < p->window.count; i++)
            ready += p->window.slots[i].state == SLOT_READY || p->window.slots[i].state == SLOT_BAD;
        p->filled = ready >= (uint64_t)p->options->prefetch_prefill || !p->window.fetching;
        if (p->filled)
            prefetch_arrived_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
}

void *planner_main(void *arg)
{
    struct weir_prefetch *p = arg;
    struct window_action a;
    do {
        desk_forget_gone(p, clock_now());
        check_disk(p);
        while ((a = decide(p)).deed != WINDOW_NOTHING)
            carry_out(p, &a);
        open_gate(p);
    } while (wait_for_change(p));
    while ((a = decide(p)).deed != WINDOW_NOTHING) /* what was released last */
        carry_out(p, &a);
    return NULL;
}
