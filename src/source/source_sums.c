/* Lists of digests as sha256sum(1) and its kin write them; see source.h. Runs on the feeder.
 *
 *     HEX  name           text          SHA256 (name) = HEX      with --tag, and of BSD
 *     HEX *name           binary        \HEX  na\nme             a name with \n, \r or \\ in it
 *
 * Without a tag the number of digits says which digest it is: 32 MD5, 40 SHA-1, 64 SHA-256, 128
 * SHA-512; other digests of the same length (BLAKE2, SHA-3) cannot be told from these, and fail.
 * The name is also the URL, to be resolved against --base-url, with what a URL cannot hold encoded.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_sums; /* its row: source.c */

struct sums_source {
    struct source head;
    struct line_reader *lines;
    struct record_parts parts;
    struct strbuf name, url;
};

/* What a line says, as it stands. */
struct sum {
    bool escaped; /* the name is */
    bool tagged;
    struct span algorithm; /* with a tag */
    struct span hex, name;
};

static size_t hex_digits(struct span s)
{
    size_t n = 0;
    while (n < s.n && hex_value(s.p[n]) >= 0)
        n++;
    return n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "SHA256 (name) = HEX": the last " = " and the ")" before it, since a name may hold both. */
static bool split_tagged(struct span line, struct sum *out)
{
    size_t n = 0;
    while (n < line.n && !is_blank(line.p[n]) && line.p[n] != '(')
        n++;
    size_t open = n + (n < line.n && line.p[n] == ' ');
    size_t equals = line.n;
    while (equals && line.p[equals - 1] != '=')
        equals--;
    if (!n || open >= line.n || line.p[open] != '(' || equals < open + 3)
        return false;
    size_t close = equals - 1;
    while (close > open && line.p[close - 1] == ' ')
        close--;
    if (close < open + 2 || line.p[close - 1] != ')')
        return false;
    out->tagged = true;
    out->algorithm = (struct span){line.p, n};
    out->name = (struct span){line.p + open + 1, close - open - 2};
    out->hex = span_trim((struct span){line.p + equals, line.n - equals});
    return true;
}

/* "HEX  name", "HEX *name"; a single blank will do, as some write it. */
static bool split_plain(struct span line, struct sum *out)
{
    size_t n = hex_digits(line);
    if (n < 8 || n + 1 >= line.n || !is_blank(line.p[n]))
        return false;
    size_t name = n + 1;
    if (line.p[name] == ' ' || line.p[name] == '*')
        name++;
    out->hex = (struct span){line.p, n};
    out->name = (struct span){line.p + name, line.n - name};
    return true;
}

static bool split(struct span line, struct sum *out)
{
    *out = (struct sum){0};
    if (line.n && line.p[0] == '\\') {
        out->escaped = true;
        line.p++, line.n--;
    }
    return split_plain(line, out) || split_tagged(line, out);
}

/* ---- names ---- */

static status unescape(struct strbuf *out, struct span name, struct place at, error *err)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '\\') {
            char e = i + 1 < name.n ? name.p[++i] : '\0';
            if (e != 'n' && e != 'r' && e != '\\')
                return fail_at(err, at,
                               "the name has a \\ that is not followed by n, r or \\; the line "
                               "begins with \\, so each of its own is written \\\\");
            c = e == 'n' ? '\n' : e == 'r' ? '\r' : '\\';
        }
        strbuf_addc(out, c);
    }
    return OK;
}

/* RFC 3986 section 3.3: what may stand in a path as it is. ':' may not in the first component of a
 * relative reference, and is encoded everywhere. */
#define STANDS_IN_PATH "/!$&'()*+,;=@"

static bool is_url(struct span s)
{
    return span_starts(s, "http://") || span_starts(s, "https://");
}

/* The name, and the URL that it makes. */
static status take_name(struct sums_source *s, const struct sum *sum, struct record *out,
                        struct place at, error *err)
{
    struct span name = field_plain_name(sum->name);
    strbuf_clear(&s->name);
    strbuf_clear(&s->url);
    if (is_url(name)) { /* where it is known already, it stands there instead */
        out->url = name;
        return OK;
    }
    if (sum->escaped) {
        status st = unescape(&s->name, name, at, err);
        if (st)
            return st;
    } else {
        strbuf_add(&s->name, name.p, name.n);
    }
    strbuf_add_percent(&s->url, (struct span){s->name.p, s->name.n}, STANDS_IN_PATH);
    if (s->url.failed || s->name.failed)
        return fail(err, WEIR_NOMEM, "%s: out of memory for a name", at.list);
    out->name = (struct span){s->name.p, s->name.n};
    if (span_equal(out->name, "-"))
        return fail_at(err, at, "the name is \"-\": the digest of a standard input, not of a file");
    if (!out->name.n)
        return fail_at(err, at, "the name is missing");
    if (field_name_leaves(out->name))
        return fail_at(err, at,
                       "the name \"%.*s\" leads out of the directory; make the digests within it, "
                       "of names that are relative to it",
                       SHOWN(out->name));
    out->url = (struct span){s->url.p, s->url.n};
    return OK;
}

/* ---- digests ---- */

static status take_digest(struct sums_source *s, const struct sum *sum, struct place at, error *err)
{
    enum checksum_kind kind;
    if (sum->tagged && !checksum_named(sum->algorithm, &kind))
        return fail_at(err, at,
                       "the algorithm \"%.*s\" is not known; known are md5, sha1, sha256, sha512 "
                       "and crc32c",
                       SHOWN(sum->algorithm));
    if (!sum->tagged && !checksum_of_digits(sum->hex.n, &kind))
        return fail_at(err, at,
                       "a digest of %zu digits is not known; md5 has 32, sha1 40, sha256 64 and "
                       "sha512 128",
                       sum->hex.n);
    if (!sum->hex.n)
        return fail_at(err, at, "the digest is missing");
    return parts_add_digest(&s->parts, kind, sum->hex, at, err);
}

static status take_line(struct sums_source *s, struct span line, struct record *out, error *err)
{
    struct place at = {line_reader_list(s->lines), out->line, 1};
    struct sum sum;
    parts_clear(&s->parts);
    status st = line_check_controls(s->lines, line, line, "\t", err);
    if (st)
        return st;
    if (!split(line, &sum))
        return fail_at(err, at, "the line is neither \"HEX  name\" nor \"SHA256 (name) = HEX\"");
    at.column = (size_t)(sum.name.p - line.p) + 1;
    st = take_name(s, &sum, out, at, err);
    at.column = (size_t)(sum.hex.p - line.p) + 1;
    if (!st)
        st = take_digest(s, &sum, at, err);
    return st ? st : parts_lend(&s->parts, out, at, err);
}

static void sums_close(struct source *source)
{
    struct sums_source *s = (struct sums_source *)source;
    line_reader_close(s->lines);
    parts_free(&s->parts);
    strbuf_free(&s->name);
    strbuf_free(&s->url);
    free(s);
}

static status sums_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct sums_source *s = calloc(1, sizeof *s);
    if (!s) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    s->head.type = &source_sums;
    parts_init(&s->parts);
    status st = line_reader_open(&s->lines, in, list, err);
    if (st) {
        sums_close(&s->head);
        return st;
    }
    *out = &s->head;
    return OK;
}

static status sums_next(struct source *source, struct record *out, error *err)
{
    struct sums_source *s = (struct sums_source *)source;
    struct span line = {0};
    bool too_long;
    *out = (struct record){.size = -1};
    status st = line_reader_next_said(s->lines, &line, &too_long, err);
    if (st && !too_long)
        return st;
    out->line = line_reader_number(s->lines);
    if (!st)
        st = take_line(s, line, out, err);
    if (st == WEIR_INPUT) {
        out->url = (struct span){0}; /* the line says more than the URL made of it */
        record_refused(out, line);
    }
    return st;
}

/* Sure when the first line that says something is one of these. Fewer digits, or a tag that is not
 * known, may be anything. */
static int sums_sniff(struct span head)
{
    struct span line;
    struct sum sum;
    enum checksum_kind kind;
    bool whole;
    if (!line_first(head, &line, &whole) || !split(line, &sum) || !sum.name.n)
        return 0;
    if (sum.tagged)
        return checksum_named(sum.algorithm, &kind) && sum.hex.n && hex_digits(sum.hex) == sum.hex.n
                   ? 90
                   : 0;
    return checksum_of_digits(sum.hex.n, &kind) ? 90 : 0;
}

const struct source_type source_sums = {
    .name = "sums",
    .help = "as sha256sum and its kin write them: digest and name, the name relative to --base-url",
    .sniff = sums_sniff,
    .open = sums_open,
    .next = sums_next,
    .close = sums_close,
};
