/* Makes a stock of blocks once, and bodies out of it. See fault_lines.h.
 *
 * A line of a log:     2024-03-17 08:15:42.190 000000004711 9f0c... WARN [pool-3] 10.20.3.4 POST
 * ... A JSON record: {"n":1000000004711,"id":"9f0c...","level":"warn","host":{"name":"web-3",...
 *
 * Words are ASCII and multi-byte ones, some lines end in CRLF, one line of a block is long (it
 * takes what the others leave of the block). JSON strings hold escapes, surrogate pairs and raw
 * UTF-8.
 */
#include "fault_lines.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_body.h"

enum { LINES_MOST = LINES_LOG, FIELD_MOST = 64, LINE_ROOM = 1024 };

struct lines_block {
    uint32_t field[LINES_MOST]; /* where the number and the id of each line stand */
    char text[LINES_BLOCK];
};

struct lines_stock {
    enum lines_kind kind;
    uint64_t lines;    /* of a block */
    size_t field_size; /* bytes of number and id, with what is between them */
    uint64_t drawn;    /* random numbers used so far, while it is being made */
    struct lines_block blocks[LINES_BLOCKS];
};

/* A line while it is being made; the field is left open. */
struct line {
    char text[LINE_ROOM];
    size_t size, field;
};

static unsigned draw(struct lines_stock *s, unsigned below)
{
    return (unsigned)((fault_word(0x6c696e6573u + (uint64_t)s->kind, s->drawn++) >> 20) % below);
}

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->size, LINE_ROOM - l->size, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= LINE_ROOM - l->size)
        abort();
    l->size += (size_t)n;
}

static const char *word(struct lines_stock *s)
{
    static const char *const words[] = {
        "connection", "timeout", "accepted", "from",     "user",    "session", "größe",   "naïve",
        "request",    "failed",  "password", "closed",   "日本語",  "Ελλάδα",  "retry",   "block",
        "received",   "of",      "size",     "handler",  "straße",  "worker",  "ended",   "disk",
        "read",       "write",   "🚀",        "checksum", "invalid", "the",     "queue",   "is",
        "full",       "kernel",  "down",     "eth0",     "packet",  "dropped", "cache",   "miss",
        "hit",        "no",      "such",     "file",     "état",    "señor",   "Zürich",  "привет",
        "fetched",    "bytes",   "for",      "key",      "expired", "refresh", "token",   "granted",
        "denied",     "policy",  "route",    "lookup",   "shard",   "replica", "elected", "leader",
        "a",          "b",       "needle",   "haystack", "x",       "and"};
    return words[draw(s, sizeof words / sizeof *words)];
}

static unsigned level(struct lines_stock *s)
{
    unsigned n = draw(s, 100);
    return n < 5 ? 0 : n < 20 ? 1 : n < 80 ? 2 : 3;
}

static void open_field(struct lines_stock *s, struct line *l)
{
    l->field = l->size;
    memset(l->text + l->size, '0', s->field_size);
    l->size += s->field_size;
}

static void log_line(struct lines_stock *s, struct line *l)
{
    static const char *const levels[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    size_t wanted = 78 + draw(s, 70);
    put(l, "2024-%02u-%02u %02u:%02u:%02u.%03u ", 1 + draw(s, 12), 1 + draw(s, 28), draw(s, 24),
        draw(s, 60), draw(s, 60), draw(s, 1000));
    open_field(s, l);
    put(l, " %s", levels[level(s)]);
    if (draw(s, 3) == 0)
        put(l, " [pool-%u]", draw(s, 16));
    if (draw(s, 3) == 0)
        put(l, " %u.%u.%u.%u", 1 + draw(s, 223), draw(s, 256), draw(s, 256), draw(s, 256));
    if (draw(s, 4) == 0)
        put(l, "\t%s /%s/%s status=%u", methods[draw(s, 4)], word(s), word(s), 200 + draw(s, 304));
    while (l->size < wanted)
        put(l, " %s", word(s));
}

static void json_text(struct lines_stock *s, struct line *l)
{
    static const char *const escapes[] = {"\\\"",    "\\\\",           "\\n", "\\t",
                                          "\\u00e9", "\\ud83d\\ude00", "\\/"};
    unsigned n = 2 + draw(s, 12);
    put(l, "\"");
    for (unsigned i = 0; i < n; i++)
        put(l, "%s%s", i ? " " : "", draw(s, 6) ? word(s) : escapes[draw(s, 7)]);
    put(l, "\"");
}

static void json_line(struct lines_stock *s, struct line *l)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    put(l, "{\"n\":");
    open_field(s, l);
    put(l,
        "\",\"level\":\"%s\",\"host\":{\"name\":\"web-%u\",\"ip\":\"10.%u.%u.%u\"},\"ms\":%u.%u,",
        levels[level(s)], draw(s, 40), draw(s, 256), draw(s, 256), draw(s, 256), draw(s, 5000),
        draw(s, 10));
    put(l, "\"ok\":%s,\"tags\":[", draw(s, 2) ? "true" : "false");
    for (unsigned i = 0, n = draw(s, 4); i < n; i++)
        put(l, "%s\"%s\"", i ? "," : "", word(s));
    put(l,
        "],\"user\":%s,\"text\":", draw(s, 4) ? "null" : "{\"id\":7,\"roles\":[\"a\",{\"b\":[]}]}");
    json_text(s, l);
}

/* What fills the block up: the text of its longest line. */
static void fill_up(struct lines_stock *s, char *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned n = draw(s, 32);
        out[i] = (char)(n < 26 ? 'a' + n : n < 30 ? '0' + n % 10 : ' ');
    }
}

static void make_block(struct lines_stock *s, struct lines_block *b, struct line *lines)
{
    bool json = s->kind == LINES_OF_JSON;
    const char *tail = json ? "\"}\n" : "\n"; /* of the longest */
    size_t longest = draw(s, (unsigned)s->lines), used = strlen(tail), at = 0;
    for (size_t i = 0; i < s->lines; i++) {
        struct line *l = &lines[i];
        l->size = 0;
        if (json)
            json_line(s, l);
        else
            log_line(s, l);
        if (i == longest)
            put(l, "%s", json ? ",\"more\":\"" : " ");
        else
            put(l, "%s%s", json ? "}" : "", draw(s, 8) ? "\n" : "\r\n");
        used += l->size;
    }
    if (used >= LINES_BLOCK)
        abort(); /* the lines above have become too long */
    for (size_t i = 0; i < s->lines; i++) {
        memcpy(b->text + at, lines[i].text, lines[i].size);
        b->field[i] = (uint32_t)(at + lines[i].field);
        at += lines[i].size;
        if (i == longest) {
            fill_up(s, b->text + at, LINES_BLOCK - used);
            at += LINES_BLOCK - used;
            memcpy(b->text + at, tail, strlen(tail));
            at += strlen(tail);
        }
    }
}

struct lines_stock *lines_stock_new(enum lines_kind kind)
{
    struct lines_stock *s = calloc(1, sizeof *s);
    struct line *lines = calloc(LINES_MOST, sizeof *lines);
    if (!s || !lines)
        abort();
    s->kind = kind;
    s->lines = kind == LINES_OF_JSON ? LINES_JSON : LINES_LOG;
    s->field_size = kind == LINES_OF_JSON ? 13 + strlen(",\"id\":\"") + 16 : 12 + 1 + 16;
    for (size_t i = 0; i < LINES_BLOCKS; i++)
        make_block(s, &s->blocks[i], lines);
    free(lines);
    return s;
}

void lines_stock_free(struct lines_stock *s)
{
    free(s);
}

static char *write_decimal(char *out, uint64_t n, size_t digits)
{
    for (size_t i = digits; i-- > 0; n /= 10)
        out[i] = (char)('0' + n % 10);
    return out + digits;
}

static char *write_hex(char *out, uint64_t n)
{
    for (size_t i = 16; i-- > 0; n >>= 4)
        out[i] = "0123456789abcdef"[n & 15];
    return out + 16;
}

/* Number and id of a line, field_size bytes. */
static void write_field(const struct lines_stock *s, uint64_t seed, uint64_t number, char *out)
{
    uint64_t id = fault_word(seed, number);
    if (s->kind == LINES_OF_JSON) {
        *out++ = '1'; /* a JSON number has no leading zeros */
        out = write_decimal(out, number, 12);
        memcpy(out, ",\"id\":\"", 7);
        write_hex(out + 7, id);
    } else {
        out = write_decimal(out, number, 12);
        *out++ = ' ';
        write_hex(out, id);
    }
}

/* The first line of the block whose field ends behind `from`. */
static size_t first_field(const struct lines_stock *s, const struct lines_block *b, size_t from)
{
    size_t low = 0, high = (size_t)s->lines;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (b->field[middle] + s->field_size > from)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Bytes [from, to) of a block. */
static void fill_from_block(const struct lines_stock *s, uint64_t seed, uint64_t block, size_t from,
                            size_t to, char *out)
{
    const struct lines_block *b =
        &s->blocks[fault_word(seed ^ 0x626c6f636bu, block) % LINES_BLOCKS];
    memcpy(out, b->text + from, to - from);
    for (size_t i = first_field(s, b, from); i < s->lines && b->field[i] < to; i++) {
        size_t at = b->field[i], end = at + s->field_size;
        uint64_t number = block * s->lines + i;
        if (at >= from && end <= to) {
            write_field(s, seed, number, out + (at - from));
            continue;
        }
        char field[FIELD_MOST];
        size_t begin = at < from ? from : at, stop = end < to ? end : to;
        write_field(s, seed, number, field);
        memcpy(out + (begin - from), field + (begin - at), stop - begin);
    }
}

void lines_fill(const struct lines_stock *s, uint64_t seed, uint64_t from, char *out, size_t size)
{
    while (size > 0) {
        size_t skip = (size_t)(from % LINES_BLOCK);
        size_t n = LINES_BLOCK - skip < size ? LINES_BLOCK - skip : size;
        fill_from_block(s, seed, from / LINES_BLOCK, skip, skip + n, out);
        out += n;
        from += n;
        size -= n;
    }
}
