/* A shard on its way through the engine. Started by the planner or a finisher; the callbacks run
 * on the engine's threads.
 *
 * It is fetched into a folder of our own under its number, so that its name is given by us, after
 * the validators, and so that what is partly there is found again by the next run whatever the
 * window then looks like. The body's length is held against the budget before its first byte is
 * written; a body that tells no length gets room piece by piece.
 */
#include "prefetch/prefetch_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/fs.h"

#define PIECE_MIN ((int64_t)64 << 10)
#define PIECE_MAX ((int64_t)4 << 20)
#define AHEAD_OF_NEED ((int64_t)48 << 10) /* more than one call of on_data brings */
#define LISTED 16

void fetch_name(char out[64], uint64_t index)
{
    snprintf(out, 64, FETCH_FOLDER "/%" PRIu64, index);
}

void shard_fetch_remove(struct weir_prefetch *p, uint64_t index)
{
    static const char *const endings[] = {"", ".part", ".part.resume"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[64 + 16], staged[64];
        const char *last;
        fetch_name(staged, index);
        snprintf(name, sizeof name, "%s%s", staged, endings[i]);
        int folder = fs_open_parent(p->dirfd, name, false, &last);
        if (folder < 0)
            return;
        unlinkat(folder, last, 0);
        close(folder); /* never dirfd itself: the name has a folder part */
    }
}

void shard_fetch_free(struct shard_fetch *f)
{
    free(f->digest);
    free(f);
}

static int64_t piece(const struct weir_prefetch *p)
{
    int64_t share = p->window.rules.budget / 16;
    return share < PIECE_MIN ? PIECE_MIN : share > PIECE_MAX ? PIECE_MAX : share;
}

static bool grant(struct shard_fetch *f, int64_t bytes)
{
    struct weir_prefetch *p = f->p;
    pthread_mutex_lock(&p->lock);
    bool fits = f->sized ? window_learn(&p->window, f->index, bytes)
                         : window_grow(&p->window, f->index, bytes);
    pthread_mutex_unlock(&p->lock);
    f->no_room = !fits;
    if (fits)
        f->granted = bytes;
    return fits;
}

static weir_next on_begin(weir_file *file, const weir_begin *begin, void *user)
{
    struct shard_fetch *f = user;
    f->sized = begin->size >= 0;
    f->got = begin->offset;
    int64_t wanted = f->sized ? begin->size : f->got + piece(f->p);
    if (!f->sized && f->granted >= wanted)
        return WEIR_NEXT;
    if (f->sized)
        f->granted = wanted;
    if (!grant(f, wanted))
        return WEIR_STOP_FILE;
    return f->sized ? WEIR_ENOUGH : WEIR_NEXT; /* all of it has room */
}

static weir_next on_data(weir_file *file, const void *data, size_t size, void *user)
{
    struct shard_fetch *f = user;
    f->got += (int64_t)size;
    if (f->got + AHEAD_OF_NEED <= f->granted)
        return WEIR_NEXT;
    return grant(f, f->got + piece(f->p)) ? WEIR_NEXT : WEIR_STOP_FILE;
}

static void on_reset(weir_file *file, void *user)
{
    struct shard_fetch *f = user;
    f->got = 0;
}

static void leave_live_locked(struct shard_fetch *f)
{
    struct shard_fetch **at = &f->p->live;
    while (*at && *at != f)
        at = &(*at)->live_next;
    if (*at)
        *at = f->live_next;
}

/* No room now: it comes again, knowing its size, or twice what it came to. What it came to goes,
 * for nothing counts it any more. */
static void give_back(struct shard_fetch *f)
{
    struct weir_prefetch *p = f->p;
    shard_fetch_remove(p, f->index);
    pthread_mutex_lock(&p->lock);
    int64_t learnt = f->sized ? f->granted : 2 * f->got + piece(p);
    int64_t most = p->window.rules.budget;
    if (!f->sized && most && learnt > most && f->got + piece(p) <= most)
        learnt = most;
    window_give_back(&p->window, f->index, learnt);
    leave_live_locked(f);
    prefetch_changed_locked(p);
    pthread_mutex_unlock(&p->lock);
    shard_fetch_free(f);
}

static void hand_on_locked(struct shard_fetch *f)
{
    struct weir_prefetch *p = f->p;
    leave_live_locked(f);
    f->next = NULL;
    *p->finished_end = f;
    p->finished_end = &f->next;
    pthread_cond_signal(&p->work);
}

static void on_end(const weir_result *r, void *user)
{
    struct shard_fetch *f = user;
    struct weir_prefetch *p = f->p;
    if (f->no_room) {
        give_back(f);
        return;
    }
    f->why = *r->error;
    if (r->outcome == WEIR_SKIPPED) /* nothing is there that would be skipped */
        fail(&f->why, WEIR_NAME, "%s: something stands in the way", r->path ? r->path : r->url);
    else if (r->outcome == WEIR_FAILED && !f->why.status)
        f->why.status = WEIR_CANCELLED;
    f->digest = r->digest ? strdup(r->digest) : NULL;
    pthread_mutex_lock(&p->lock);
    if (r->outcome == WEIR_DONE)
        p->stats.fetched++;
    hand_on_locked(f);
    pthread_mutex_unlock(&p->lock);
}

static const weir_callbacks callbacks = {
    .on_begin = on_begin, .on_data = on_data, .on_reset = on_reset, .on_end = on_end};

/* The lists of a record as the public job has them. */
struct lists {
    const char *urls[LISTED + 1];
    size_t url_count;
    weir_digest digests[CHECKSUM_KINDS];
    char hex[CHECKSUM_KINDS][2 * CHECKSUM_MAX + 1];
    size_t digest_count;
    weir_header headers[LISTED];
    size_t header_count;
    struct strbuf header_text;
};

/* What was found bad comes from the next mirror. */
static void list_urls(struct lists *l, const struct shard *shard, uint32_t tries)
{
    const char *all[LISTED + 1];
    size_t n = 0;
    all[n++] = shard->url;
    for (const char *at = shard->mirrors.n ? shard->mirrors.p : ""; *at && n <= LISTED;
         at += strlen(at) + 1)
        all[n++] = at;
    for (size_t i = 0; i < n; i++)
        l->urls[i] = all[(i + tries) % n];
    l->url_count = n;
}

static void list_headers(struct lists *l, const struct shard *shard)
{
    strbuf_add(&l->header_text, shard->headers.p, shard->headers.n);
    for (char *at = l->header_text.n ? l->header_text.p : (char *)"";
         *at && !l->header_text.failed;) {
        size_t n = strlen(at);
        char *colon = strchr(at, ':');
        if (colon && l->header_count < LISTED) {
            *colon = '\0';
            const char *value = colon + 1;
            value += strspn(value, " \t");
            l->headers[l->header_count++] = (weir_header){at, value};
        }
        at += n + 1;
    }
}

static void list_digests(struct lists *l, const struct shard *shard)
{
    struct checksum sum;
    const char *at = shard->digests.n ? shard->digests.p : NULL;
    while (l->digest_count < CHECKSUM_KINDS && checksum_list_next(&at, &sum)) {
        size_t i = l->digest_count++;
        checksum_hex(&sum, l->hex[i]);
        l->digests[i] = (weir_digest){checksum_name(sum.kind), l->hex[i]};
    }
}

static status add_job(struct shard_fetch *f, const struct shard *shard, error *err)
{
    struct lists l = {0};
    char name[64];
    fetch_name(name, f->index);
    list_urls(&l, shard, f->tries);
    list_headers(&l, shard);
    list_digests(&l, shard);
    weir_job job = {.url = l.urls[0],
                    .name = name,
                    .size = shard->size,
                    .mirrors = l.urls + 1,
                    .mirror_count = l.url_count - 1,
                    .digests = l.digests,
                    .digest_count = l.digest_count,
                    .headers = l.headers,
                    .header_count = l.header_count,
                    .save = WEIR_SAVE_YES,
                    .segments = f->p->segments_given ? 0
                                : f->urgent          ? WEIR_SEGMENTS_AUTO
                                                     : 1,
                    .callbacks = &callbacks,
                    .user = f};
    status st = l.header_text.failed ? fail(err, WEIR_NOMEM, "out of memory")
                                     : weir_engine_add(f->p->engine, &job, err);
    strbuf_free(&l.header_text);
    return st;
}

static void start(struct shard_fetch *f)
{
    struct weir_prefetch *p = f->p;
    struct shard shard = {0};
    error err;
    if (!f->started)
        f->started = clock_now();
    f->sized = f->no_room = false;
    f->got = f->granted = 0;
    pthread_mutex_lock(&p->lock);
    const struct slot *s = window_slot(&p->window, f->index);
    f->granted = s ? s->bytes : 0;
    f->live_next = p->live;
    p->live = f;
    pthread_mutex_unlock(&p->lock);
    status st = shard_get(p->index, f->index, &shard, &err);
    if (!st)
        st = add_job(f, &shard, &err);
    strbuf_free(&shard.buffer);
    if (!st)
        return;
    f->why = err;
    pthread_mutex_lock(&p->lock);
    hand_on_locked(f);
    pthread_mutex_unlock(&p->lock);
}

status shard_fetch_start(struct weir_prefetch *p, uint64_t index, bool urgent, error *err)
{
    struct shard_fetch *f = calloc(1, sizeof *f);
    if (!f)
        return fail(err, WEIR_NOMEM, "out of memory for a shard");
    f->p = p;
    f->index = index;
    f->urgent = urgent;
    start(f);
    return OK;
}

void shard_fetch_again(struct shard_fetch *f)
{
    free(f->digest);
    f->digest = NULL;
    error_clear(&f->why);
    start(f);
}
