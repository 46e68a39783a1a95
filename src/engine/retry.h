/* What to do after an attempt: pure, so that a table can test it.
 */
#ifndef WEIR_ENGINE_RETRY_H
#define WEIR_ENGINE_RETRY_H

#include "config/options.h"
#include "core/clock.h"
#include "core/status.h"
#include "limit/host.h"

struct retry_facts {
    status outcome;         /* class of what happened; OK never comes here */
    int http_status;        /* 0 = none */
    bool answered;          /* the head of an answer had arrived */
    int64_t retry_after_ns; /* -1 = none */
    uint32_t attempts;      /* spent, this one included */
    bool
        progressed; /* this attempt brought the body further: back-off starts from its first step */
    bool not_heard; /* 409 or 423 after a try that was cut: the server may not know yet that it was
                     */
    bool refused;   /* the body came whole, and its digest or size is not what was to come */
    uint32_t refusals; /* such bodies so far, this one included */
    uint32_t others;   /* further mirrors that may still be asked */
    uint32_t urls;     /* mirrors of the file in all; 0 or 1 = there is one URL */
    bool host_is_down; /* nothing was asked: the queue says that the host is down */
};

enum retry_action {
    RETRY_AT,
    RETRY_ELSEWHERE, /* the same, at another mirror */
    RETRY_GIVE_UP
};

struct retry_decision {
    enum retry_action action;
    uint64_t at;             /* RETRY_AT, RETRY_ELSEWHERE: instant */
    bool dead;               /* RETRY_ELSEWHERE: this mirror will not have it */
    status outcome;          /* GIVE_UP: class to report (http, or rate_limited after holds) */
    struct host_report host; /* for the host entry, whatever the action */
};

/* Full jitter: uniform in [0, min(backoff_max, backoff * 2^(attempts-1))]
 * (AWS Architecture Blog, "Exponential Backoff And Jitter"; Retry-After: RFC 9110 section 10.2.3).
 */
struct retry_decision retry_decide(const struct retry_facts *facts, const struct options *options,
                                   uint64_t now, struct rng *rng);

#endif
