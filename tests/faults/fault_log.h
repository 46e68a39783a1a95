/* What the server has seen: every request, and how much went on at once.
 */
#ifndef FAULT_LOG_H
#define FAULT_LOG_H

#include "fault_request.h"
#include "fault_text.h"

struct fault_log {
    bool keep;           /* requests, for /_log */
    struct text entries; /* entry, raw texts, entry, ... */
    uint64_t requests;   /* since the last reset, /_ not counted */
    uint64_t body_bytes;
    uint64_t accepted;
    unsigned connections, connections_max; /* now, and the most at once */
    unsigned in_flight, in_flight_max;     /* requests, from head to last byte */
};

void log_request(struct fault_log *log, const struct request *r, int64_t now_us,
                 uint64_t connection, unsigned port, int status);
/* JSON, a request a line. */
void log_print(const struct fault_log *log, struct text *out);
void log_print_stats(const struct fault_log *log, struct text *out);
void log_reset(struct fault_log *log);

#endif
