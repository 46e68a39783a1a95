/* The host table; see host.h.
 *
 * A chained hash table that doubles, and two lists of idle entries, oldest first: those that
 * remember something (a hold, failures, a debt of a bucket) and those that do not. Eviction takes
 * the latter first, so that a polite pause is not forgotten while worthless entries are kept.
 *
 * Guarded by the owner's lock; any thread that holds it.
 */
#include "limit/host.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/text.h"

struct idle_list {
    struct host *oldest, *newest;
};

struct host_table {
    const struct options *(*options_for)(void *ctx, const char *host);
    void *ctx;
    struct host **slots;
    size_t mask, size;
    struct idle_list plain, remembering;
    size_t idle, idle_max;
};

struct host_table *host_table_new(const struct options *(*options_for)(void *ctx, const char *host),
                                  void *ctx, size_t idle_max)
{
    struct host_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->mask = 63;
    t->slots = calloc(t->mask + 1, sizeof *t->slots);
    if (!t->slots) {
        free(t);
        return NULL;
    }
    t->options_for = options_for;
    t->ctx = ctx;
    t->idle_max = idle_max;
    return t;
}

void host_table_free(struct host_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i <= t->mask; i++)
        for (struct host *h = t->slots[i], *next; h; h = next) {
            next = h->chain;
            free(h);
        }
    free(t->slots);
    free(t);
}

size_t host_table_size(const struct host_table *t)
{
    return t->size;
}

static struct host **slot_of(struct host_table *t, const char *authority)
{
    return &t->slots[hash64(authority, strlen(authority)) & t->mask];
}

/* A table that cannot grow still works, only slower. */
static void grow(struct host_table *t)
{
    size_t old_mask = t->mask;
    struct host **old = t->slots, **slots = calloc((old_mask + 1) * 2, sizeof *slots);
    if (!slots)
        return;
    t->slots = slots;
    t->mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++)
        for (struct host *h = old[i], *next; h; h = next) {
            next = h->chain;
            struct host **slot = slot_of(t, h->authority);
            h->chain = *slot;
            *slot = h;
        }
    free(old);
}

static const struct options *options_of(struct host_table *t, char *authority)
{
    char *name = authority, *end = strrchr(authority, ':');
    if (!end)
        return t->options_for(t->ctx, authority);
    char *cut = end;
    if (*name == '[' && end > name && end[-1] == ']') { /* an IPv6 literal */
        name++;
        cut = end - 1;
    }
    char kept = *cut;
    *cut = '\0';
    const struct options *options = t->options_for(t->ctx, name);
    *cut = kept;
    return options;
}

static struct host *host_new(struct host_table *t, const char *authority)
{
    size_t size = strlen(authority) + 1;
    struct host *h = calloc(1, sizeof *h + size);
    if (!h)
        return NULL;
    h->authority = (char *)(h + 1);
    memcpy(h->authority, authority, size);
    h->options = options_of(t, h->authority);
    bucket_init(&h->requests, h->options->limits_host_rate);
    pacer_init(&h->pacer, h->options->limits_host_bandwidth);
    return h;
}

static void idle_unlink(struct host_table *t, struct host *h)
{
    struct idle_list *list = h->remembers ? &t->remembering : &t->plain;
    *(h->idle_prev ? &h->idle_prev->idle_next : &list->oldest) = h->idle_next;
    *(h->idle_next ? &h->idle_next->idle_prev : &list->newest) = h->idle_prev;
    h->idle_prev = h->idle_next = NULL;
    t->idle--;
}

static void idle_append(struct host_table *t, struct host *h)
{
    h->remembers = h->held_until > h->last_used || h->probing || h->failures ||
                   h->requests.tat > h->last_used ||
                   atomic_load_explicit(&h->pacer.tat, memory_order_relaxed) > h->last_used;
    struct idle_list *list = h->remembers ? &t->remembering : &t->plain;
    h->idle_prev = list->newest;
    *(list->newest ? &list->newest->idle_next : &list->oldest) = h;
    list->newest = h;
    t->idle++;
}

static void evict(struct host_table *t, struct host *h)
{
    idle_unlink(t, h);
    struct host **at = slot_of(t, h->authority);
    while (*at != h)
        at = &(*at)->chain;
    *at = h->chain;
    t->size--;
    free(h);
}

struct host *host_get(struct host_table *t, const char *authority)
{
    struct host **slot = slot_of(t, authority);
    for (struct host *h = *slot; h; h = h->chain)
        if (!strcmp(h->authority, authority)) {
            if (!h->references++)
                idle_unlink(t, h);
            return h;
        }
    struct host *h = host_new(t, authority);
    if (!h)
        return NULL;
    h->references = 1;
    h->chain = *slot;
    *slot = h;
    if (++t->size > t->mask)
        grow(t);
    return h;
}

void host_put(struct host_table *t, struct host *h)
{
    if (--h->references)
        return;
    idle_append(t, h);
    if (t->idle > t->idle_max)
        evict(t, t->plain.oldest ? t->plain.oldest : t->remembering.oldest);
}

static bool has_failed_enough(const struct host *h, uint64_t now)
{
    return h->failures >= HOST_DOWN_FAILURES && now >= h->first_failure + (uint64_t)HOST_DOWN_AFTER;
}

bool host_is_down(const struct host *h, uint64_t now)
{
    return now < h->next_probe;
}

uint64_t host_admit(const struct host *h, uint64_t now)
{
    if (h->held_until > now)
        return h->held_until;
    if (h->probing && h->probe_in_flight)
        return HOST_WAITS_FOR_SLOT;
    int64_t per_host = h->options->limits_per_host;
    if (per_host > 0 && h->in_flight >= per_host)
        return HOST_WAITS_FOR_SLOT;
    return bucket_ready(&h->requests, now);
}

bool host_started(struct host *h, uint64_t now)
{
    h->in_flight++;
    h->last_used = now;
    if (host_is_down(h, now))
        return false;
    bucket_take(&h->requests, now);
    /* A host that was down gets this one request; the others fail on until it has been answered. */
    if (h->next_probe)
        h->next_probe = now + (uint64_t)HOST_DOWN_PROBE;
    if (!h->probing)
        return false;
    h->probe_in_flight = true;
    return true;
}

/* While a host is held, only its probe can open it: any other answer belongs to a request from
 * before the hold, and a hold that began after the probe did outlives it. */
static void open_again(struct host *h, bool probe, uint64_t now)
{
    if (h->probing && !probe)
        return;
    h->probe_in_flight = false;
    h->probing = h->held_until > now;
    if (!h->probing)
        h->held_until = 0;
    h->failures = 0;
    h->next_probe = 0;
}

void host_answered(struct host *h, bool probe, uint64_t now)
{
    h->last_used = now;
    open_again(h, probe, now);
}

static void count_failure(struct host *h, const struct host_report *report, uint64_t now)
{
    if (!h->failures++)
        h->first_failure = now;
    h->last_failure = report->failure;
    if (!has_failed_enough(h, now))
        return;
    h->next_probe = now + (uint64_t)HOST_DOWN_PROBE;
    if (h->next_probe < h->held_until)
        h->next_probe = h->held_until;
}

static bool refuse(struct host *h, const struct host_report *report, uint64_t now)
{
    bool was_held = h->held_until > now;
    if (report->hold_until > now) {
        h->probing = true;
        if (h->held_until < report->hold_until)
            h->held_until = report->hold_until;
    }
    if (report->probe || report->too_long)
        count_failure(h, report, now);
    if (report->too_long && h->next_probe < h->held_until)
        h->next_probe = h->held_until;
    return !was_held && h->held_until > now;
}

bool host_ended(struct host *h, const struct host_report *report, uint64_t now)
{
    if (h->in_flight)
        h->in_flight--;
    h->last_used = now;
    if (report->probe) {
        h->probe_in_flight = false;
        if (!has_failed_enough(h, now))
            h->next_probe = 0;
    }
    switch (report->verdict) {
    case HOST_ANSWERED:
        open_again(h, report->probe, now);
        return false;
    case HOST_UNREACHABLE:
        count_failure(h, report, now);
        return false;
    case HOST_REFUSED:
        return refuse(h, report, now);
    case HOST_SILENT:
        break;
    }
    return false;
}
