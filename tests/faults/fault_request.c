/* Reads requests leniently: this is a test server, clients are judged by their own tests. One
 * thread. */
#include "fault_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool part_is(struct part p, const char *text)
{
    return p.data && p.size == strlen(text) && memcmp(p.data, text, p.size) == 0;
}

struct part request_header(const struct request *r, const char *name)
{
    const char *at = r->headers.data, *end = at + r->headers.size;
    size_t n = strlen(name);
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        if ((size_t)(line_end - at) > n && at[n] == ':' && strncasecmp(at, name, n) == 0) {
            const char *value = at + n + 1, *stop = line_end;
            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && (stop[-1] == '\r' || stop[-1] == ' '))
                stop--;
            return (struct part){value, (size_t)(stop - value)};
        }
        at = line_end + 1;
    }
    return (struct part){NULL, 0};
}

/* "http://host:port/path" (from a proxy's client) is taken as "/path". */
static struct part without_origin(struct part target)
{
    const char *scheme = memmem(target.data, target.size, "://", 3);
    if (!scheme || target.data[0] == '/')
        return target;
    const char *end = target.data + target.size;
    const char *slash = memchr(scheme + 3, '/', (size_t)(end - scheme - 3));
    return slash ? (struct part){slash, (size_t)(end - slash)} : (struct part){"/", 1};
}

long request_parse(struct request *out, const char *data, size_t size)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return size >= 60000 ? -1 : 0;
    const char *line_end = memchr(data, '\r', size);
    const char *space = memchr(data, ' ', (size_t)(line_end - data));
    const char *last = memrchr(data, ' ', (size_t)(line_end - data));
    if (!space || last <= space)
        return -1;
    *out = (struct request){0};
    out->method = (struct part){data, (size_t)(space - data)};
    out->target = (struct part){space + 1, (size_t)(last - space - 1)};
    out->target = without_origin(out->target);
    out->http_1_0 = memcmp(last + 1, "HTTP/1.0", 8) == 0;
    const char *mark = memchr(out->target.data, '?', out->target.size);
    out->path = out->target;
    if (mark) {
        out->path.size = (size_t)(mark - out->target.data);
        out->query = (struct part){mark + 1, out->target.size - out->path.size - 1};
    }
    out->headers = (struct part){line_end + 2, (size_t)(end + 2 - (line_end + 2))};
    if (line_end == end)
        out->headers = (struct part){end, 0};
    out->range = request_header(out, "Range");
    out->if_range = request_header(out, "If-Range");
    out->authorization = request_header(out, "Authorization");
    struct part connection = request_header(out, "Connection");
    out->wants_close = connection.data && strncasecmp(connection.data, "close", 5) == 0;
    return (long)(end + 4 - data);
}

static int hex(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t decode(struct part value, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < value.size && n < size; i++) {
        if (value.data[i] == '%' && i + 2 < value.size && hex(value.data[i + 1]) >= 0 &&
            hex(value.data[i + 2]) >= 0) {
            out[n++] = (char)(hex(value.data[i + 1]) * 16 + hex(value.data[i + 2]));
            i += 2;
        } else {
            out[n++] = value.data[i];
        }
    }
    return n;
}

/* What stands behind `name` in the query, not decoded; data NULL = it is not there. */
static struct part fault_value(const struct request *r, const char *name)
{
    const char *at = r->query.data, *end = at + r->query.size;
    size_t n = strlen(name);
    while (at && at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) >= n && memcmp(at, name, n) == 0 &&
            (at + n == stop || at[n] == '=')) {
            struct part value = {at + n, (size_t)(stop - at) - n};
            if (value.size > 0) {
                value.data++;
                value.size--;
            }
            return value;
        }
        at = stop + 1;
    }
    return (struct part){NULL, 0};
}

bool request_fault(const struct request *r, const char *name, char *out, size_t size)
{
    struct part value = fault_value(r, name);
    if (value.data && size > 0)
        out[decode(value, out, size - 1)] = '\0';
    return value.data != NULL;
}

long request_fault_bytes(const struct request *r, const char *name, char *out, size_t size)
{
    struct part value = fault_value(r, name);
    return value.data ? (long)decode(value, out, size) : -1;
}

int64_t request_number(const struct request *r, const char *name, int64_t missing)
{
    char text[64];
    return request_fault(r, name, text, sizeof text) ? strtoll(text, NULL, 10) : missing;
}
