/* Lines through one buffer; see line_reader.h. Runs on the feeder.
 *
 * The buffer holds the longest line there may be and one read beyond it, so a line is never copied
 * but when it straddles two reads. A longer one is dropped as it comes in: a list of one line of a
 * gigabyte takes no more memory than any other.
 */
#include "source/line_reader.h"

#include <stdlib.h>

#define READ_SIZE ((size_t)64 << 10)
#define BUFFER_SIZE (LINE_MAX_BYTES + 2 + READ_SIZE) /* 2: CRLF */

struct line_reader {
    struct reader *in;
    char *list;
    uint64_t number;
    size_t start, end; /* of what is in the buffer and not yet handed out */
    bool ended;        /* `in` has ended */
    status broken;     /* why `in` cannot be read on */
    error why;
    char head[LINE_HEAD_BYTES];
    char buffer[BUFFER_SIZE];
};

status line_reader_open(struct line_reader **out, struct reader *in, const char *list, error *err)
{
    struct line_reader *l = malloc(sizeof *l);
    char *name = strdup(list);
    if (!l || !name) {
        free(l);
        free(name);
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    memset(l, 0, offsetof(struct line_reader, head));
    l->in = in;
    l->list = name;
    *out = l;
    return OK;
}

void line_reader_close(struct line_reader *l)
{
    if (!l)
        return;
    reader_close(l->in);
    free(l->list);
    free(l);
}

uint64_t line_reader_number(const struct line_reader *l)
{
    return l->number;
}

const char *line_reader_list(const struct line_reader *l)
{
    return l->list;
}

status fail_list(error *err, status st, const char *list, const error *cause)
{
    bool named = strncmp(cause->message, list, strlen(list)) == 0;
    fail(err, st, "%s%s%s", named ? "" : list, named ? "" : ": ", cause->message);
    if (err)
        err->sys_errno = cause->sys_errno;
    return st;
}

/* Reads once more behind what is there. */
static status refill(struct line_reader *l, error *err)
{
    if (l->start) {
        memmove(l->buffer, l->buffer + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    size_t got = 0;
    if (!l->broken)
        l->broken =
            l->in->type->read(l->in, l->buffer + l->end, BUFFER_SIZE - l->end, &got, &l->why);
    if (l->broken)
        return fail_list(err, l->broken, l->list, &l->why);
    l->end += got;
    l->ended = got == 0;
    return OK;
}

/* Drops a line that is longer than it may be, to its newline; *line becomes its beginning. */
static status drop_long(struct line_reader *l, struct span *line, bool *too_long, error *err)
{
    memcpy(l->head, l->buffer + l->start, sizeof l->head);
    for (;;) {
        char *newline = memchr(l->buffer + l->start, '\n', l->end - l->start);
        l->start = newline ? (size_t)(newline - l->buffer) + 1 : l->end;
        if (newline || l->ended)
            break;
        status st = refill(l, err);
        if (st)
            return st;
    }
    *line = (struct span){l->head, sizeof l->head};
    *too_long = true;
    return fail(err, WEIR_INPUT, "%s:%llu: the line is longer than %d bytes; it is skipped",
                l->list, (unsigned long long)l->number, LINE_MAX_BYTES);
}

/* A line without the CR of its ending, and without a byte order mark when it is the first. */
static struct span bare(struct span line, bool first)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (first && span_starts(line, "\xef\xbb\xbf"))
        line.p += 3, line.n -= 3;
    return line;
}

status line_reader_next(struct line_reader *l, struct span *line, bool *too_long, error *err)
{
    *too_long = false;
    size_t searched = 0;
    char *newline;
    for (;;) {
        size_t n = l->end - l->start;
        newline = memchr(l->buffer + l->start + searched, '\n', n - searched);
        if (newline || l->ended || n > LINE_MAX_BYTES + 1)
            break;
        searched = n;
        status st = refill(l, err);
        if (st)
            return st;
    }
    size_t n = newline ? (size_t)(newline - l->buffer) - l->start : l->end - l->start;
    if (!newline && !n && l->ended)
        return WEIR_END;
    l->number++;
    *line = bare((struct span){l->buffer + l->start, n}, l->number == 1);
    if (line->n > LINE_MAX_BYTES)
        return drop_long(l, line, too_long, err);
    l->start += n + (newline != NULL);
    return OK;
}

status line_reader_next_said(struct line_reader *l, struct span *line, bool *too_long, error *err)
{
    status st;
    do
        st = line_reader_next(l, line, too_long, err);
    while (st == OK && line_is_skipped(*line));
    return st;
}

status line_check_controls(const struct line_reader *l, struct span text, struct span line,
                           const char *allowed, error *err)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= 0x20 && c != 0x7f) || (c && strchr(allowed, c)))
            continue;
        return fail(err, WEIR_INPUT,
                    "%s:%llu: %s (byte 0x%02x) stands at column %zu; remove it from the list%s",
                    l->list, (unsigned long long)l->number,
                    c == '\t' ? "a TAB" : "a control character", c,
                    (size_t)(text.p - line.p) + i + 1,
                    c == '\t' ? ", or read the list with format tsv and a header row" : "");
    }
    return OK;
}

bool line_is_skipped(struct span line)
{
    line = span_trim(line);
    return line.n == 0 || line.p[0] == '#';
}

bool line_is_option(struct span line)
{
    struct span text = span_trim(line);
    size_t n = 0;
    while (n < text.n && ((text.p[n] >= 'a' && text.p[n] <= 'z') || (n && text.p[n] == '-') ||
                          (n && text.p[n] >= '0' && text.p[n] <= '9')))
        n++;
    size_t equals = n;
    while (equals < text.n && (text.p[equals] == ' ' || text.p[equals] == '\t'))
        equals++;
    return n && equals < text.n && text.p[equals] == '=' && text.p > line.p;
}

bool line_first(struct span head, struct span *line, bool *whole)
{
    for (bool first = true; head.n; first = false) {
        const char *newline = memchr(head.p, '\n', head.n);
        size_t n = newline ? (size_t)(newline - head.p) : head.n;
        *line = bare((struct span){head.p, n}, first);
        *whole = newline != NULL;
        if (!line_is_skipped(*line))
            return true;
        n += newline != NULL;
        head.p += n, head.n -= n;
    }
    return false;
}
