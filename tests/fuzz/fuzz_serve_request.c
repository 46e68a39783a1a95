/* What a request to `weir serve` names: the first line is its target, the second a Range, the third
 * an Accept-Encoding, the fourth a list of entity tags.
 *
 * A target that was taken is a name that stays beneath a folder, and comes back from its URL.
 * Ranges lie within the body and are no more than it in all.
 */
#include <limits.h>
#include <stdlib.h>

#include "serve/accept_encoding.h"
#include "serve/byte_ranges.h"
#include "serve/precondition.h"
#include "serve/request_path.h"
#include "fuzz_must.h"

#define SIZE 1000

static void check_name(const struct request_path *p)
{
    const char *name = strbuf_text(&p->name);
    struct strbuf url = {0};
    struct request_path again;
    must(strlen(name) == p->name.n && p->name.n <= PATH_MAX && name[0] != '/');
    for (const char *c = name; *c;) {
        size_t n = strcspn(c, "/");
        must(n > 0 && n <= NAME_MAX);
        must(!(n == 1 && c[0] == '.') && !(n == 2 && c[0] == '.' && c[1] == '.'));
        must(c[0] != '.' || p->hidden);
        c += n;
        must(*c != '/' || c[1]);
        c += *c == '/';
    }
    strbuf_addc(&url, '/');
    url_path_add(&url, name);
    must(request_path_parse(&again, span_of(url.p)) == PATH_FINE);
    must(strcmp(strbuf_text(&again.name), name) == 0);
    must(again.hidden == p->hidden && again.unfinished == p->unfinished);
    request_path_free(&again);
    strbuf_free(&url);
}

static void check_target(struct span target)
{
    struct request_path p;
    if (request_path_parse(&p, target) == PATH_FINE)
        check_name(&p);
    request_path_free(&p);
}

static void check_ranges(struct span field)
{
    struct byte_range ranges[RANGES_MAX];
    size_t n = 0;
    int64_t bytes = 0;
    if (byte_ranges_parse(ranges, &n, field, SIZE) != RANGES_SOME)
        return;
    must(n > 0 && n <= RANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        must(ranges[i].first >= 0 && ranges[i].first <= ranges[i].last && ranges[i].last < SIZE);
        bytes += ranges[i].last - ranges[i].first + 1;
    }
    must(bytes <= SIZE);
}

static void check_fields(const char *encodings, const char *tags)
{
    int weights[CODINGS];
    const struct validators v = {.etag = "\"a-1\"", .mtime_s = 1};
    struct conditions c = {.if_none_match = tags};
    accept_encoding_weigh(encodings, weights);
    for (size_t i = 0; i < CODINGS; i++)
        must(weights[i] >= 0 && weights[i] <= 1000);
    bool same = precondition_judge(&c, &v, true) == PRECONDITION_NOT_MODIFIED;
    must(!same || strstr(tags, v.etag) || strchr(tags, '*'));
    c = (struct conditions){.if_match = tags, .if_range = tags};
    precondition_judge(&c, &v, true);
    must(!precondition_range(&c, &v, 0) || strstr(tags, v.etag));
}

/* A line of its exact size, ended by NUL. */
static char *take_line(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t n = end ? (size_t)(end - *data) : *size;
    char *line = malloc(n + 1);
    if (n)
        memcpy(line, *data, n);
    line[n] = '\0';
    *data += end ? n + 1 : n;
    *size -= end ? n + 1 : n;
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *lines[4];
    for (size_t i = 0; i < 4; i++)
        lines[i] = take_line(&data, &size);
    check_target(span_of(lines[0]));
    check_ranges(span_of(lines[1]));
    check_fields(lines[2], lines[3]);
    for (size_t i = 0; i < 4; i++)
        free(lines[i]);
    return 0;
}
