/* The texts of the bench's filter rows: logs and JSON records, the same for the same seed and build.
 *
 *   make_text log BYTES SEED LOG...   lines of real logs, mixed as a log collector would mix them
 *   make_text jsonl BYTES SEED        records of an application, five in a hundred of them errors
 *   make_text sum                     of standard input: lines, bytes, and a sum over the lines
 * that is the same in whatever order they come
 *
 * A log is blown up by drawing its lines at random and writing each with a clock that goes on, with
 * new addresses, process ids, block numbers and ports: a text that repeated itself would be kinder
 * to a compressor and to a branch predictor than any real one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOCK_START 1714521600 /* 2024-05-01T00:00:00Z */
#define LINE_MAX_BYTES 65536

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "make_text: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* xorshift64*, so that the texts are the same on every machine. */
static uint32_t draw(uint64_t *state, uint32_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(((*state * 0x2545f4914f6cdd1dull) >> 32) * below >> 32);
}

static uint64_t seeded(const char *text)
{
    return (strtoull(text, NULL, 10) + 1) * 0x9e3779b97f4a7c15ull;
}

/* ---- a line of a log, taken apart: text to keep and what is new each time ---- */

enum part_kind { KEEP, CLOCK, OCTET, DIGITS };

struct part {
    enum part_kind kind;
    const char *p; /* KEEP */
    uint32_t n;    /* KEEP: bytes; CLOCK: which format; DIGITS: how many */
};

struct line {
    struct part *parts;
    size_t n;
};

struct clock {
    time_t now;
    char text[3][40];
};

static const char *const clock_formats[3] = {"%a %b %d %H:%M:%S %Y", "%y%m%d %H%M%S",
                                             "%b %d %H:%M:%S"};
static const char *const clock_shapes[3] = {"aaa aaa dd dd:dd:dd dddd", "dddddd dddddd",
                                            "aaa dd dd:dd:dd"};

static void clock_set(struct clock *c, time_t now)
{
    struct tm tm;
    c->now = now;
    gmtime_r(&now, &tm);
    for (int i = 0; i < 3; i++)
        strftime(c->text[i], sizeof c->text[i], clock_formats[i], &tm);
}

static bool has_shape(const char *p, const char *shape)
{
    for (; *shape; p++, shape++) {
        bool same = *shape == 'a'   ? isalpha((unsigned char)*p) != 0
                    : *shape == 'd' ? isdigit((unsigned char)*p) || *p == ' '
                                    : *p == *shape;
        if (!same)
            return false;
    }
    return true;
}

static int octets_at(const char *p)
{
    unsigned a, b, c, d;
    int n = 0;
    if (sscanf(p, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &n) == 4 && n > 0)
        return n;
    return 0;
}

static void add_part(struct line *l, enum part_kind kind, const char *p, size_t n)
{
    if (kind == KEEP && l->n && l->parts[l->n - 1].kind == KEEP) {
        l->parts[l->n - 1].n += (uint32_t)n;
        return;
    }
    if (l->n % 16 == 0) {
        l->parts = realloc(l->parts, (l->n + 16) * sizeof *l->parts);
        if (!l->parts)
            die("memory");
    }
    l->parts[l->n++] = (struct part){kind, p, (uint32_t)n};
}

/* Numbers of three digits and more are new each time, shorter ones (counts, levels, versions) are
 * part of the message. */
static void take_apart(struct line *l, const char *text)
{
    const char *p = text + (*text == '[');
    if (p > text)
        add_part(l, KEEP, text, 1);
    for (unsigned i = 0; i < 3; i++)
        if (has_shape(p, clock_shapes[i])) {
            add_part(l, CLOCK, NULL, i);
            p += strlen(clock_shapes[i]);
            break;
        }
    while (*p) {
        size_t n = strspn(p, "0123456789");
        int octets = n ? octets_at(p) : 0;
        if (octets) {
            for (int i = 0; i < 4; i++) {
                if (i)
                    add_part(l, KEEP, ".", 1);
                add_part(l, OCTET, NULL, 0);
            }
            p += octets;
        } else if (n >= 3) {
            add_part(l, DIGITS, NULL, n);
            p += n;
        } else {
            add_part(l, KEEP, p, n ? n : 1);
            p += n ? n : 1;
        }
    }
}

struct lines {
    struct line *all;
    size_t n;
};

static void read_log(struct lines *lines, const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    if (!f)
        die(path);
    while ((n = getline(&text, &cap, f)) > 0) {
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            text[--n] = '\0';
        if (n == 0 || n > LINE_MAX_BYTES / 2)
            continue;
        if (lines->n % 1024 == 0)
            lines->all = realloc(lines->all, (lines->n + 1024) * sizeof *lines->all);
        char *kept = strdup(text);
        if (!lines->all || !kept)
            die("memory");
        lines->all[lines->n] = (struct line){0};
        take_apart(&lines->all[lines->n++], kept);
    }
    free(text);
    fclose(f);
}

static char *write_number(char *out, uint32_t value)
{
    char digits[12];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10));
    while (n)
        *out++ = digits[--n];
    return out;
}

static size_t write_line(char *out, const struct line *l, const struct clock *clock,
                         uint64_t *state)
{
    char *at = out;
    for (size_t i = 0; i < l->n; i++) {
        const struct part *part = &l->parts[i];
        if (part->kind == KEEP || part->kind == CLOCK) {
            const char *p = part->kind == KEEP ? part->p : clock->text[part->n];
            size_t n = part->kind == KEEP ? part->n : strlen(p);
            memcpy(at, p, n);
            at += n;
        } else if (part->kind == OCTET) {
            at = write_number(at, 1 + draw(state, 254));
        } else {
            *at++ = (char)('1' + draw(state, 9));
            for (uint32_t k = 1; k < part->n; k++)
                *at++ = (char)('0' + draw(state, 10));
        }
    }
    *at++ = '\n';
    return (size_t)(at - out);
}

static void make_log(uint64_t bytes, uint64_t state, char **paths)
{
    struct lines lines = {0};
    struct clock clock;
    static char line[2 * LINE_MAX_BYTES];
    for (; *paths; paths++)
        read_log(&lines, *paths);
    if (!lines.n)
        die("no lines in the logs");
    clock_set(&clock, CLOCK_START);
    for (uint64_t done = 0; done < bytes;) {
        if (draw(&state, 30) == 0)
            clock_set(&clock, clock.now + 1);
        const struct line *l = &lines.all[draw(&state, (uint32_t)lines.n)];
        size_t n = write_line(line, l, &clock, &state);
        if (fwrite(line, 1, n, stdout) != n)
            die("writing");
        done += n;
    }
}

/* ---- JSON records, written as jq -c writes them, so that its output can be compared ---- */

static const char *const levels[20] = {"error", "warn",  "warn",  "info",  "info",  "info", "info",
                                       "info",  "info",  "info",  "info",  "info",  "info", "info",
                                       "info",  "debug", "debug", "debug", "debug", "debug"};
static const char *const messages[8] = {"request completed",
                                        "cache miss, asking the origin",
                                        "upstream \\\"orders\\\" answered late",
                                        "token refreshed",
                                        "retrying after a reset connection",
                                        "payload stored",
                                        "no error in the last sweep",
                                        "worker restarted: level=error seen before"};
static const char *const paths[4] = {"orders", "users", "carts/items", "search"};

static void make_records(uint64_t bytes, uint64_t state)
{
    time_t now = CLOCK_START;
    struct tm tm;
    char second[32] = "";
    for (uint64_t done = 0; done < bytes;) {
        if (!*second || draw(&state, 200) == 0) {
            now++;
            gmtime_r(&now, &tm);
            strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &tm);
        }
        const char *level = levels[draw(&state, 20)];
        int n = printf("{\"ts\":\"%s.%03uZ\",\"level\":\"%s\",\"host\":\"web-%03u.fra%u\",", second,
                       draw(&state, 1000), level, draw(&state, 400), draw(&state, 4));
        n += printf("\"msg\":\"%s\",\"ctx\":{\"request\":\"%08x%08x\",\"path\":\"/v2/%s/%u\",",
                    messages[draw(&state, 8)], draw(&state, UINT32_MAX), draw(&state, UINT32_MAX),
                    paths[draw(&state, 4)], draw(&state, 1000000));
        n += printf("\"client\":{\"ip\":\"10.%u.%u.%u\",\"port\":%u}},", draw(&state, 256),
                    draw(&state, 256), draw(&state, 256), 1024 + draw(&state, 64000));
        n += printf("\"status\":%u,\"bytes\":%u,\"ms\":%u.%u}\n", 200 + 100 * draw(&state, 4),
                    draw(&state, 1000000), draw(&state, 900), 1 + draw(&state, 9));
        if (n < 100)
            die("writing");
        done += (uint64_t)n;
    }
}

/* ---- comparing outputs whose lines come in any order ---- */

static void sum_lines(void)
{
    static char buffer[1 << 20];
    uint64_t lines = 0, bytes = 0, sum = 0, hash = 0xcbf29ce484222325ull;
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        bytes += n;
        for (size_t i = 0; i < n; i++) {
            hash = (hash ^ (unsigned char)buffer[i]) * 0x100000001b3ull;
            if (buffer[i] != '\n')
                continue;
            lines++;
            hash ^= hash >> 29;
            sum += hash * (hash | 1);
            hash = 0xcbf29ce484222325ull;
        }
    }
    if (ferror(stdin))
        die("standard input");
    printf("%llu lines, %llu bytes, %016llx%016llx\n", (unsigned long long)lines,
           (unsigned long long)bytes, (unsigned long long)sum, (unsigned long long)hash);
}

int main(int argc, char **argv)
{
    static char out[1 << 20];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    if (argc > 4 && strcmp(argv[1], "log") == 0) {
        make_log(strtoull(argv[2], NULL, 10), seeded(argv[3]), argv + 4);
    } else if (argc == 4 && strcmp(argv[1], "jsonl") == 0) {
        make_records(strtoull(argv[2], NULL, 10), seeded(argv[3]));
    } else if (argc == 2 && strcmp(argv[1], "sum") == 0) {
        sum_lines();
    } else {
        fprintf(stderr, "usage: make_text log BYTES SEED LOG... | jsonl BYTES SEED | sum\n");
        return 2;
    }
    if (fflush(stdout))
        die("writing");
    return 0;
}
