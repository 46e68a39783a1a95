/* The text form of provenance, and which validator may vouch for a part; see provenance.h. Any
 * thread: a record has one owner at a time.
 *
 * The numbers come first, so that a text that was cut short still cannot claim more than it says,
 * and a text without its last newline is no record at all.
 */
#include "core/provenance.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/digest.h"
#include "core/http_date.h"

#define FIRST_LINE "weir 1\n"
/* Who knows nothing of extents must not take such a part for one without holes. */
#define FIRST_LINE_EXTENTS "weir 2\n"
/* Such a record alone tells what is there, so it ends with a hash of all before it: a digit that
 * has become another one must not make a body of a hole. */
#define CHECK_KEY "check\t"
#define CHECK_LINE (sizeof CHECK_KEY - 1 + 16 + 1)

void provenance_init(struct provenance *p)
{
    *p = (struct provenance){.size = -1};
}

void provenance_free(struct provenance *p)
{
    free(p->url);
    free(p->etag);
    free(p->last_modified);
    free(p->date);
    provenance_forget_extents(p);
    provenance_init(p);
}

void provenance_forget_extents(struct provenance *p)
{
    free(p->extents);
    free(p->synced_extents);
    p->extents = p->synced_extents = NULL;
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

status provenance_copy(struct provenance *to, const struct provenance *from)
{
    struct provenance copy = *from;
    copy.url = copy.etag = copy.last_modified = copy.date = NULL;
    copy.extents = copy.synced_extents = NULL;
    bool ok = copy_text(&copy.url, from->url) && copy_text(&copy.etag, from->etag) &&
              copy_text(&copy.last_modified, from->last_modified) &&
              copy_text(&copy.date, from->date) && copy_text(&copy.extents, from->extents) &&
              copy_text(&copy.synced_extents, from->synced_extents);
    if (!ok) {
        provenance_free(&copy);
        return WEIR_NOMEM;
    }
    provenance_free(to);
    *to = copy;
    return OK;
}

/* ---- writing ---- */

/* Bytes that are not UTF-8 stay as they are: a validator must come back exactly as it was sent. */
static void add_text(struct strbuf *out, const char *key, const char *value)
{
    if (!value)
        return;
    strbuf_adds(out, key);
    strbuf_addc(out, '\t');
    for (const char *p = value; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\u%04x", c);
        else
            strbuf_addc(out, *p);
    }
    strbuf_addc(out, '\n');
}

/* CHECK_KEY and the hash of the text, as CHECK_LINE bytes and a NUL. False: no memory. */
static bool check_line(struct span text, char line[CHECK_LINE + 1])
{
    struct running_hash *hash = running_hash_new();
    if (!hash)
        return false;
    running_hash_add(hash, text.p, text.n);
    snprintf(line, CHECK_LINE + 1, CHECK_KEY "%016llx\n",
             (unsigned long long)running_hash_value(hash));
    running_hash_free(hash);
    return true;
}

static void add_check(struct strbuf *out, size_t from)
{
    char line[CHECK_LINE + 1];
    if (out->failed || !check_line((struct span){out->p + from, out->n - from}, line))
        out->failed = true;
    else
        strbuf_adds(out, line);
}

void provenance_format(const struct provenance *p, struct strbuf *out)
{
    size_t from = out->n;
    strbuf_adds(out, p->extents ? FIRST_LINE_EXTENTS : FIRST_LINE);
    if (p->size >= 0)
        strbuf_addf(out, "size\t%lld\n", (long long)p->size);
    strbuf_addf(out, "written\t%lld\nsynced\t%lld\n", (long long)p->written, (long long)p->synced);
    add_text(out, "boot_id", p->boot_id[0] ? p->boot_id : NULL);
    add_text(out, "extents", p->extents);
    add_text(out, "synced_extents", p->synced_extents);
    add_text(out, "url", p->url);
    add_text(out, "etag", p->etag);
    add_text(out, "last_modified", p->last_modified);
    add_text(out, "date", p->date);
    if (p->extents)
        add_check(out, from);
}

/* ---- reading ---- */

/* Undoes one escape at s.p[0] == '\\'; the bytes used, 0 when it is none of ours. */
static size_t unescape(struct span s, char *out)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (s.n < 2)
        return 0;
    const char *at = memchr(plain, s.p[1], sizeof plain - 1);
    if (at) {
        *out = meant[at - plain];
        return 2;
    }
    if (s.p[1] != 'u' || s.n < 6)
        return 0;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_value(s.p[i]);
        if (digit < 0)
            return 0;
        value = value * 16 + digit;
    }
    if (value == 0 || value > 0x7f) /* we escape control characters only, and NUL cannot occur */
        return 0;
    *out = (char)value;
    return 6;
}

static status read_text(char **out, struct span value)
{
    char *text = malloc(value.n + 1);
    if (!text)
        return WEIR_NOMEM;
    size_t n = 0;
    while (value.n) {
        size_t used = 1;
        if (value.p[0] == '\\')
            used = unescape(value, &text[n]);
        else
            text[n] = value.p[0];
        if (!used || !text[n]) {
            free(text);
            return WEIR_RECORD;
        }
        n++;
        value.p += used;
        value.n -= used;
    }
    text[n] = '\0';
    free(*out);
    *out = text;
    return OK;
}

static status read_number(int64_t *out, struct span value)
{
    uint64_t n;
    if (!parse_uint64(value, &n) || n > INT64_MAX)
        return WEIR_RECORD;
    *out = (int64_t)n;
    return OK;
}

/* As it stands: none has bytes that would have been escaped. */
static status read_boot_id(char out[40], struct span value)
{
    if (value.n >= 40)
        return WEIR_RECORD;
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] <= ' ' || strchr("\"\\\x7f", value.p[i]))
            return WEIR_RECORD;
    memset(out, 0, 40);
    memcpy(out, value.p, value.n);
    return OK;
}

static status read_line(struct provenance *p, struct span line)
{
    const char *tab = line.n ? memchr(line.p, '\t', line.n) : NULL;
    if (!tab)
        return WEIR_RECORD;
    struct span key = {line.p, (size_t)(tab - line.p)};
    struct span value = {tab + 1, line.n - key.n - 1};
    if (span_equal(key, "size"))
        return read_number(&p->size, value);
    if (span_equal(key, "written"))
        return read_number(&p->written, value);
    if (span_equal(key, "synced"))
        return read_number(&p->synced, value);
    if (span_equal(key, "boot_id"))
        return read_boot_id(p->boot_id, value);
    if (span_equal(key, "extents"))
        return read_text(&p->extents, value);
    if (span_equal(key, "synced_extents"))
        return read_text(&p->synced_extents, value);
    if (span_equal(key, "url"))
        return read_text(&p->url, value);
    if (span_equal(key, "etag"))
        return read_text(&p->etag, value);
    if (span_equal(key, "last_modified"))
        return read_text(&p->last_modified, value);
    if (span_equal(key, "date"))
        return read_text(&p->date, value);
    return OK; /* of a later version */
}

static bool check_holds(struct span text)
{
    char line[CHECK_LINE + 1];
    if (text.n < CHECK_LINE || !check_line((struct span){text.p, text.n - CHECK_LINE}, line))
        return false;
    return memcmp(text.p + text.n - CHECK_LINE, line, CHECK_LINE) == 0;
}

status provenance_parse(struct provenance *out, struct span text, error *err)
{
    if (!span_starts(text, FIRST_LINE) && !span_starts(text, FIRST_LINE_EXTENTS))
        return fail(err, WEIR_RECORD,
                    "the text is no provenance record: it does not begin with "
                    "\"weir 1\" or \"weir 2\"");
    if (span_starts(text, FIRST_LINE_EXTENTS) && !check_holds(text))
        return fail(err, WEIR_RECORD, "the provenance record is damaged: its check line is wrong");
    struct provenance p;
    provenance_init(&p);
    struct span rest = {text.p + strlen(FIRST_LINE), text.n - strlen(FIRST_LINE)};
    status st = OK;
    for (int line = 2; rest.n && !st; line++) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        st = end ? read_line(&p, (struct span){rest.p, n}) : WEIR_RECORD;
        if (st == WEIR_RECORD)
            fail(err, st, "line %d of the provenance record is damaged", line);
        else if (st)
            fail(err, st, "out of memory for a provenance record");
        if (!end)
            break;
        rest.p += n + 1;
        rest.n -= n + 1;
    }
    if (!st && span_starts(text, FIRST_LINE_EXTENTS) != (p.extents != NULL))
        st = fail(err, WEIR_RECORD,
                  "the provenance record lacks its extents, or has some that "
                  "nothing vouches for");
    if (st) {
        provenance_free(&p);
        return st;
    }
    *out = p;
    return OK;
}

/* ---- validators ---- */

/* entity-tag without "W/" (RFC 9110 section 8.8.3). */
static bool is_strong_etag(const char *etag)
{
    size_t n = strlen(etag);
    if (n < 2 || etag[0] != '"' || etag[n - 1] != '"')
        return false;
    for (size_t i = 1; i < n - 1; i++) {
        unsigned char c = (unsigned char)etag[i];
        if (c < 0x21 || c == '"' || c == 0x7f)
            return false;
    }
    return true;
}

const char *provenance_strong_validator(const struct provenance *p)
{
    if (p->etag && is_strong_etag(p->etag))
        return p->etag;
    int64_t modified, date;
    if (p->last_modified && p->date && imf_fixdate(p->last_modified, &modified) &&
        imf_fixdate(p->date, &date) && date - modified >= 1)
        return p->last_modified;
    return NULL;
}
