/* The host table: one entry a host ("name:port"), where everything lives that holds for the whole
 * host: transfers in flight, buckets, hold-until, failures in a row.
 *
 * Guarded by its owner's lock (the queue's), except `pacer`, which any thread may charge. Pure:
 * `now` is an argument. An entry lives while it is referenced (jobs queued, waiting or in flight);
 * an idle one is kept for what it remembers and evicted, oldest first, when there are many: ten
 * million hosts stay flat.
 *
 * Life of a hold: an answer 429 or 503 holds the host until an instant. Then one request probes it
 * while the others wait on; when that goes well the host is open again, when it is refused the host
 * is held anew. A host that could not be reached, or refused its probes, 20 times in a row over at
 * least five minutes is down: its jobs fail at once, except one probe each minute.
 */
#ifndef WEIR_LIMIT_HOST_H
#define WEIR_LIMIT_HOST_H

#include "config/options.h"
#include "core/status.h"
#include "limit/bucket.h"

#define HOST_DOWN_FAILURES 20
#define HOST_DOWN_AFTER (300 * NS_PER_S)
#define HOST_DOWN_PROBE (60 * NS_PER_S)

struct host {
    /* read-only after host_get */
    const struct options *options; /* resolved for this host; borrowed from the config */
    struct pacer pacer;            /* limits.host_bandwidth; any thread */
    char *authority;               /* "name:port", lower case */
    void *lane;                    /* the queue's own */
    /* guarded by the owner's lock */
    struct bucket requests; /* limits.host_rate */
    uint32_t in_flight;
    uint32_t references;
    uint64_t held_until;    /* 0 = open */
    bool probing;           /* a probe is in flight, or the next request will be one */
    uint32_t failures;      /* in a row: unreachable, or refused while probing */
    uint64_t first_failure; /* instant of the first of them */
    status last_failure;    /* class of the last of them */
    uint64_t next_probe;    /* while down */
    bool probe_in_flight;   /* while probing: it has started and not ended */
    uint64_t last_used;     /* instant of the last start or end */
    bool remembers;         /* while idle: which of the table's idle lists it is in */
    struct host *idle_prev, *idle_next, *chain; /* the table's own */
};

/* What one transfer taught about the host. */
enum host_verdict {
    HOST_ANSWERED,    /* any answer but a refusal: the host is well */
    HOST_UNREACHABLE, /* DNS, connect, TLS or time-out before an answer */
    HOST_REFUSED,     /* 429 or 503: hold */
    HOST_SILENT       /* cancelled, or broke on the way: says nothing */
};

struct host_report {
    enum host_verdict verdict;
    status failure;      /* class, for UNREACHABLE and REFUSED */
    uint64_t hold_until; /* instant, for REFUSED; 0 = do not hold */
    bool too_long; /* REFUSED for longer than a job may wait: down until hold_until, at once */
    bool probe;    /* the queue's own: this transfer was the probe */
};

struct host_table;

/* `options_for` gives the resolved options of a host name (config_for_host); it is called under the
 * owner's lock and must not block. */
struct host_table *host_table_new(const struct options *(*options_for)(void *ctx, const char *host),
                                  void *ctx, size_t idle_max);
void host_table_free(struct host_table *t); /* takes NULL */
size_t host_table_size(const struct host_table *t);

/* The entry of "name:port" with one reference more; made when missing. NULL: out of memory. */
struct host *host_get(struct host_table *t, const char *authority);
/* One reference less. */
void host_put(struct host_table *t, struct host *h);

#define HOST_WAITS_FOR_SLOT TIME_NEVER

/* May one request start now? 0 = yes; HOST_WAITS_FOR_SLOT = when one in flight has ended; else the
 * instant at which to ask again. Takes nothing. */
uint64_t host_admit(const struct host *h, uint64_t now);
/* True while down and no probe is due: its jobs are to fail at once. */
bool host_is_down(const struct host *h, uint64_t now);

/* Counts a request that starts now; true when it is the probe of a held host. While the host is
 * down it only counts the slot. */
bool host_started(struct host *h, uint64_t now);
/* A good answer has begun, and may take long to end: a held host is open again. `probe` as
 * host_started said. */
void host_answered(struct host *h, bool probe, uint64_t now);
/* Returns true when the host has become held by this report (for the event). */
bool host_ended(struct host *h, const struct host_report *report, uint64_t now);

#endif
