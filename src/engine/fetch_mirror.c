/* The mirrors of a fetch: what the run knows of them, and which one is asked; see fetch.h. Worker
 * thread.
 */
#include <stdio.h>

#include "engine/fetch.h"
#include "engine/mirror.h"
#include "net/url.h"

void fetch_lane(struct fetch *f, struct strbuf *out)
{
    struct url url;
    error ignored;
    url_init(&url);
    if (url_parse(&url, span_of(job_url_at(f->job, f->job->mirror)), &ignored) == OK)
        strbuf_add(out, url.authority.p, url.authority.n);
    url_free(&url);
}

/* What the run knows of the mirrors of this file. */
static size_t view_mirrors(struct fetch *f, struct mirror_view views[MIRRORS_MAX])
{
    struct weir_engine *e = f->worker->engine;
    size_t n = job_url_count(f->job);
    struct url url;
    error ignored;
    url_init(&url);
    for (size_t i = 0; i < n; i++) {
        views[i] = (struct mirror_view){.dead = f->job->dead >> i & 1};
        if (url_parse(&url, span_of(job_url_at(f->job, (uint32_t)i)), &ignored) == OK) {
            char authority[256];
            snprintf(authority, sizeof authority, "%.*s", (int)url.authority.n, url.authority.p);
            mirror_board_look(e->mirrors, authority, &views[i]);
        }
    }
    url_free(&url);
    return n;
}

uint32_t fetch_other_mirrors(struct fetch *f)
{
    struct mirror_view views[MIRRORS_MAX];
    uint32_t others = 0;
    if (!f->job->mirrors)
        return 0;
    size_t n = view_mirrors(f, views);
    for (size_t i = 0; i < n; i++)
        others += i != f->job->mirror && !views[i].dead;
    return others;
}

bool fetch_move_on(struct fetch *f, bool dead)
{
    struct mirror_view views[MIRRORS_MAX];
    if (dead)
        f->job->dead |= (uint64_t)1 << f->job->mirror;
    size_t n = view_mirrors(f, views);
    int next = mirror_choose(views, n, (int)f->job->mirror);
    if (next >= 0)
        f->job->mirror = (uint32_t)next;
    return next >= 0;
}

bool fetch_prefers_other(struct fetch *f)
{
    struct mirror_view views[MIRRORS_MAX];
    if (!f->job->mirrors || f->job->attempts || f->job->mirror)
        return false;
    int best = mirror_choose(views, view_mirrors(f, views), -1);
    if (best <= 0)
        return false;
    f->job->mirror = (uint32_t)best;
    return true;
}
