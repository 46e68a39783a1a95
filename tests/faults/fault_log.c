/* The log keeps raw text and makes JSON only when asked, so that logging costs little. One thread.
 */
#include "fault_log.h"

#include <string.h>

struct entry { /* followed by target and header lines */
    int64_t us;
    uint64_t connection;
    unsigned port;
    int status;
    size_t method, target, headers;
};

void log_request(struct fault_log *log, const struct request *r, int64_t now_us,
                 uint64_t connection, unsigned port, int status)
{
    log->requests++;
    if (!log->keep)
        return;
    struct entry e = {now_us,         connection,     port,           status,
                      r->method.size, r->target.size, r->headers.size};
    text_add(&log->entries, &e, sizeof e);
    text_add(&log->entries, r->method.data, r->method.size);
    text_add(&log->entries, r->target.data, r->target.size);
    text_add(&log->entries, r->headers.data, r->headers.size);
}

static void print_headers(struct text *out, const char *at, size_t size)
{
    const char *end = at + size;
    text_add(out, "{", 1);
    for (bool first = true; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        if (colon) {
            if (!first)
                text_add(out, ",", 1);
            first = false;
            text_json(out, at, (size_t)(colon - at));
            text_add(out, ":", 1);
            const char *value = colon + 1;
            while (value < stop && *value == ' ')
                value++;
            size_t n = (size_t)(stop - value);
            if (n > 0 && value[n - 1] == '\r')
                n--;
            text_json(out, value, n);
        }
        at = stop + 1;
    }
    text_add(out, "}", 1);
}

void log_print(const struct fault_log *log, struct text *out)
{
    const char *at = log->entries.data, *end = at + log->entries.size;
    while (at && at < end) {
        struct entry e;
        memcpy(&e, at, sizeof e);
        at += sizeof e;
        text_print(out, "{\"us\":%lld,\"connection\":%llu,\"port\":%u,\"status\":%d,\"method\":",
                   (long long)e.us, (unsigned long long)e.connection, e.port, e.status);
        text_json(out, at, e.method);
        at += e.method;
        text_print(out, ",\"target\":");
        text_json(out, at, e.target);
        at += e.target;
        text_print(out, ",\"headers\":");
        print_headers(out, at, e.headers);
        at += e.headers;
        text_print(out, "}\n");
    }
}

void log_print_stats(const struct fault_log *log, struct text *out)
{
    text_print(out,
               "{\"requests\":%llu,\"body_bytes\":%llu,\"accepted\":%llu,\"connections\":%u,"
               "\"connections_max\":%u,\"in_flight\":%u,\"in_flight_max\":%u}\n",
               (unsigned long long)log->requests, (unsigned long long)log->body_bytes,
               (unsigned long long)log->accepted, log->connections, log->connections_max,
               log->in_flight, log->in_flight_max);
}

void log_reset(struct fault_log *log)
{
    text_clear(&log->entries);
    log->requests = log->body_bytes = log->accepted = 0;
    log->connections_max = log->connections;
    log->in_flight_max = log->in_flight;
}
