/* Lists of plain URLs, one a line; see source.h. Runs on the feeder.
 *
 * A line is its URL, blanks around it aside. Blank lines and lines that begin with '#' are passed
 * over. Whether the text is a URL is not judged here: it may be relative to a base.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/source.h"

extern const struct source_type source_urls; /* its row: source.c */

struct urls_source {
    struct source head;
    struct line_reader *lines;
};

static status urls_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct urls_source *u = calloc(1, sizeof *u);
    if (!u) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    status st = line_reader_open(&u->lines, in, list, err);
    if (st) {
        free(u);
        return st;
    }
    u->head.type = &source_urls;
    *out = &u->head;
    return OK;
}

static status urls_next(struct source *s, struct record *out, error *err)
{
    struct urls_source *u = (struct urls_source *)s;
    struct span line = {0};
    bool too_long;
    *out = (struct record){.size = -1};
    status st = line_reader_next_said(u->lines, &line, &too_long, err);
    if (st && !too_long)
        return st;
    out->url = span_trim(line);
    out->line = line_reader_number(u->lines);
    if (!st)
        st = line_check_controls(u->lines, out->url, line, "", err);
    if (!st && line_is_option(line))
        st =
            fail(err, WEIR_INPUT,
                 "%s:%llu: \"%.*s\" is an option of aria2's input files; read the list with format "
                 "aria2",
                 line_reader_list(u->lines), (unsigned long long)out->line,
                 (int)(out->url.n < 64 ? out->url.n : 64), out->url.p);
    if (st && out->url.n > LINE_HEAD_BYTES)
        out->url.n = LINE_HEAD_BYTES;
    return st;
}

static void urls_close(struct source *s)
{
    struct urls_source *u = (struct urls_source *)s;
    line_reader_close(u->lines);
    free(u);
}

/* Anything may be a list of lines; every other format knows itself better. */
static int urls_sniff(struct span head)
{
    return 1;
}

const struct source_type source_urls = {
    .name = "urls",
    .help = "one URL a line; blank lines and lines that begin with # are passed over",
    .sniff = urls_sniff,
    .open = urls_open,
    .next = urls_next,
    .close = urls_close,
};
