/* See mirror.h. */
#include "engine/mirror.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define HOSTS_MAX 256            /* of one run; mirrors beyond are asked in the order of the list */
#define JUDGED_BYTES (256 << 10) /* less tells of latency, not of speed */

int mirror_choose(const struct mirror_view *views, size_t n, int last)
{
    int best = -1;
    for (int round = 0; round < 3 && best < 0; round++)
        for (size_t k = 1; k <= n; k++) {
            size_t i = (size_t)((last < 0 ? -1 : last) + (int)k) % n;
            const struct mirror_view *v = &views[i];
            bool takes = !v->dead && (round > 1 || !v->benched) && (round > 0 || (int)i != last);
            if (!takes)
                continue;
            if (best < 0 || (v->speed > 0 && views[best].speed > 0 &&
                             v->speed > MIRROR_FASTER * views[best].speed))
                best = (int)i;
        }
    return best;
}

const char *job_url_at(const struct job *job, uint32_t i)
{
    const char *p = job_text(job, job->mirrors);
    if (i == 0)
        return job_text(job, job->url);
    for (; p && *p; p += strlen(p) + 1)
        if (--i == 0)
            return p;
    return NULL;
}

size_t job_url_count(const struct job *job)
{
    size_t n = 1;
    for (const char *p = job_text(job, job->mirrors); p && *p; p += strlen(p) + 1)
        n++;
    return n < MIRRORS_MAX ? n : MIRRORS_MAX;
}

struct board_host {
    char *authority;
    uint32_t failures; /* in a row */
    double speed;
};

struct mirror_board {
    pthread_mutex_t lock;
    size_t n;
    struct board_host hosts[HOSTS_MAX];
};

struct mirror_board *mirror_board_new(void)
{
    struct mirror_board *b = calloc(1, sizeof *b);
    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void mirror_board_free(struct mirror_board *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        free(b->hosts[i].authority);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct board_host *find(struct mirror_board *b, const char *authority, bool make)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->hosts[i].authority, authority) == 0)
            return &b->hosts[i];
    if (!make || b->n == HOSTS_MAX)
        return NULL;
    struct board_host *h = &b->hosts[b->n];
    *h = (struct board_host){.authority = strdup(authority)};
    if (!h->authority)
        return NULL;
    b->n++;
    return h;
}

void mirror_board_look(struct mirror_board *b, const char *authority, struct mirror_view *out)
{
    pthread_mutex_lock(&b->lock);
    const struct board_host *h = find(b, authority, false);
    out->benched = h && h->failures >= MIRROR_FAILURES;
    out->speed = h ? h->speed : 0;
    pthread_mutex_unlock(&b->lock);
}

void mirror_board_failed(struct mirror_board *b, const char *authority)
{
    pthread_mutex_lock(&b->lock);
    struct board_host *h = find(b, authority, true);
    if (h && h->failures < MIRROR_FAILURES)
        h->failures++;
    pthread_mutex_unlock(&b->lock);
}

void mirror_board_served(struct mirror_board *b, const char *authority, int64_t bytes, uint64_t ns)
{
    pthread_mutex_lock(&b->lock);
    struct board_host *h = find(b, authority, true);
    if (h && h->failures < MIRROR_FAILURES) /* once benched, for the whole run */
        h->failures = 0;
    if (h && bytes >= JUDGED_BYTES && ns > 0) {
        double speed = (double)bytes * (double)NS_PER_S / (double)ns;
        h->speed = h->speed > 0 ? h->speed + (speed - h->speed) / 4 : speed;
    }
    pthread_mutex_unlock(&b->lock);
}
