/* Whose slot a segment has, and which mirror it asks; see segment.h. Worker thread. */
#include <stdio.h>

#include "engine/commit.h"
#include "engine/mirror.h"
#include "engine/segment.h"
#include "net/url.h"

/* The URL of a mirror is the one that a redirect has led to only where that was asked. */
const char *segment_url(const struct fetch *f, uint32_t mirror)
{
    return f->url && mirror == f->job->mirror ? f->url : job_url_at(f->job, mirror);
}

static bool authority_of(const char *text, char *out, size_t size)
{
    struct url url;
    error ignored;
    url_init(&url);
    bool ok = url_parse(&url, span_of(text), &ignored) == OK && url.authority.n < size;
    if (ok)
        snprintf(out, size, "%.*s", (int)url.authority.n, url.authority.p);
    url_free(&url);
    return ok;
}

/* The mirror with the fewest segments, the first of them, of those that give a slot. The slot is
 * the job's own where it is free. False: none now. */
bool segment_take_slot(struct fetch *f, uint32_t *mirror, struct host **host)
{
    struct segments *s = f->segments;
    struct weir_engine *e = f->worker->engine;
    struct mirror_view view;
    char authority[256];
    uint64_t tried = 0;
    *host = NULL;
    if (!s->own_slot_used) {
        s->must_wait = !queue_again(e->queue, f->job, clock_now());
        if (s->must_wait)
            return false;
        *mirror = f->job->mirror;
        s->users[*mirror]++;
        return s->own_slot_used = true;
    }
    /* After a wrong body, one mirror at a time: so it shows whose it was. */
    size_t n = fetch_is_vouched(f) && !f->job->refused ? job_url_count(f->job) : 1;
    for (size_t round = 0; round < n; round++) {
        int best = -1;
        for (size_t i = 0; i < n; i++) {
            uint32_t m = n == 1 ? f->job->mirror : (uint32_t)i;
            bool useless = (tried | s->shunned | f->job->dead) >> m & 1;
            if (!useless && (best < 0 || s->users[m] < s->users[best]))
                best = (int)m;
        }
        if (best < 0)
            return false;
        tried |= (uint64_t)1 << best;
        if (!authority_of(segment_url(f, (uint32_t)best), authority, sizeof authority))
            continue;
        mirror_board_look(e->mirrors, authority, &view);
        if (!view.benched)
            *host = queue_more(e->queue, f->worker->index, authority, clock_now());
        *mirror = (uint32_t)best;
        if (*host) {
            s->users[best]++;
            return true;
        }
    }
    return false;
}

/* Any segment's extra slot of the job's host can be the job's own. */
static struct segment *heir(const struct segment *g)
{
    const struct fetch *f = g->fetch;
    for (struct segment *o = f->segments->first; o; o = o->next)
        if (o != g && o->transfer && o->host == f->job->host)
            return o;
    return NULL;
}

void segment_give_back_slot(struct segment *g, const struct host_report *report)
{
    struct fetch *f = g->fetch;
    struct weir_engine *e = f->worker->engine;
    struct host *host = g->host;
    g->host = NULL;
    f->segments->users[g->mirror]--;
    if (!host) {
        struct segment *other = heir(g);
        if (!other) {
            f->segments->own_slot_used = false;
            return;
        }
        host = other->host;
        other->host = NULL;
    }
    char name[256];
    snprintf(name, sizeof name, "%s", host->authority);
    uint64_t now = clock_now();
    if (queue_less(e->queue, f->worker->index, host, report, now) && report->hold_until > now)
        commit_event(e->commit, WEIR_EVENT_HELD, NULL, name,
                     (int64_t)(report->hold_until - now) / NS_PER_MS, 0, &g->verdict);
}

void segment_return_slot(struct fetch *f, uint32_t mirror, struct host *host)
{
    struct host_report silent = {.verdict = HOST_SILENT};
    f->segments->users[mirror]--;
    if (host)
        queue_less(f->worker->engine->queue, f->worker->index, host, &silent, clock_now());
    else
        f->segments->own_slot_used = false;
}
