/* Lines of INI files and of files of headers. One thread.
 */
#include "config/config_lines.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)

status config_lines_open(struct config_lines *out, const char *path, error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail_errno(err, WEIR_CONFIG, errno, "%s: cannot be opened", path);
    *out = (struct config_lines){.file = file, .path = path, .text = {.max = LINE_MAX_BYTES}};
    return OK;
}

void config_lines_close(struct config_lines *lines)
{
    if (lines->file)
        fclose(lines->file);
    strbuf_free(&lines->text);
    lines->file = NULL;
}

/* Reads up to the line end or the end of the file; *ended when there was nothing at all. */
static status read_line(struct config_lines *l, bool *ended, error *err)
{
    int c;
    strbuf_clear(&l->text);
    while ((c = getc(l->file)) != EOF && c != '\n') {
        if (c == '\0')
            return fail(err, WEIR_CONFIG,
                        "%s:%u: the line holds a NUL byte; write the file as UTF-8 text", l->path,
                        l->number);
        strbuf_addc(&l->text, (char)c);
        if (l->text.failed && l->text.n < LINE_MAX_BYTES)
            return fail(err, WEIR_NOMEM, "out of memory");
        if (l->text.failed)
            return fail(err, WEIR_CONFIG, "%s:%u: the line is longer than %zu bytes", l->path,
                        l->number, LINE_MAX_BYTES);
    }
    if (ferror(l->file))
        return fail_errno(err, WEIR_CONFIG, errno, "%s: cannot be read", l->path);
    *ended = c == EOF && l->text.n == 0;
    return OK;
}

status config_lines_next(struct config_lines *lines, struct span *line, error *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* the byte order mark of UTF-8 */
    bool ended = false;
    lines->number++;
    status st = read_line(lines, &ended, err);
    if (st)
        return st;
    if (ended)
        return WEIR_END;
    struct strbuf *b = &lines->text;
    if (b->n && b->p[b->n - 1] == '\r')
        b->p[--b->n] = '\0';
    struct span s = {strbuf_text(b), b->n};
    if (lines->number == 1 && span_starts(s, mark)) {
        s.p += sizeof mark - 1;
        s.n -= sizeof mark - 1;
    }
    s = span_trim(s);
    if (b->n)
        b->p[(size_t)(s.p - b->p) + s.n] = '\0';
    *line = s;
    return OK;
}
