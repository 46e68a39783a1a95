/* What was asked: the request line, the headers that matter, and the faults in the query.
 */
#ifndef FAULT_REQUEST_H
#define FAULT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct part { /* borrowed text, without NUL */
    const char *data;
    size_t size;
};

struct request {
    struct part method, target, path, query, headers; /* headers: the raw lines */
    struct part range, if_range, authorization;       /* data NULL = absent */
    bool http_1_0, wants_close;
};

/* How many bytes at `data` make a whole request head; 0 = more must come; -1 = not HTTP. */
long request_parse(struct request *out, const char *data, size_t size);

/* The value of a header; data NULL = absent. */
struct part request_header(const struct request *r, const char *name);

/* A fault of the query, decoded into `out` (cut to its size, ended by NUL). false: not there. */
bool request_fault(const struct request *r, const char *name, char *out, size_t size);
/* The same without an end, for bytes of any value: how many there are, at most `size`; -1: not
 * there. */
long request_fault_bytes(const struct request *r, const char *name, char *out, size_t size);
/* The same as a number; `missing` when it is not there. */
int64_t request_number(const struct request *r, const char *name, int64_t missing);
bool part_is(struct part p, const char *text);

#endif
