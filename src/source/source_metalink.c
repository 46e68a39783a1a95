/* Metalink 4 (RFC 5854), by expat; see source.h. Runs on the feeder.
 *
 * The document is pushed through the parser piece by piece. At each </file> the parser is stopped,
 * the file is handed out, and the next call goes on at the same byte: there is never more than one
 * file at hand. What a hostile document can make grow is bounded: depth, one tag, what is kept of
 * a file, and how many different names there are, since expat keeps each of them. A DOCTYPE is
 * refused, and with it all entities.
 *
 * Only what a download needs is read: name, size, hash, url. Digests of pieces are parsed over.
 */
#include <expat.h>
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_metalink; /* its row: source.c */

#define NAMESPACE "urn:ietf:params:xml:ns:metalink"
#define CHUNK_BYTES 16384
#define TAG_MAX_BYTES ((int64_t)1 << 20) /* also of a comment */
#define DEPTH_MAX 64
#define NAMES_MAX 1024 /* different names of elements, attributes and prefixes */
#define NAME_SLOTS 4096
#define URLS_MAX 1024
#define PRIORITY_LOWEST 999999 /* RFC 5854 section 4.2.16.1; also of a URL without one */

struct file_url {
    size_t at, n; /* in `urls` */
    bool http;    /* what else there may be, ftp or rsync, comes behind */
    uint32_t priority;
};

struct metalink_source {
    struct source head;
    struct reader *in;
    char *list;
    XML_Parser xml;
    int64_t fed;    /* bytes given to the parser */
    bool final;     /* the last piece has been */
    bool suspended; /* the parser has more of the piece at hand */
    status refusal; /* why the document cannot be read on: comes again when asked again */
    error why;
    int depth;    /* of elements */
    bool in_file; /* at depth 2 or below */
    /* the file at hand */
    bool ready;
    uint64_t line; /* where it begins */
    status broken; /* the first thing in it that cannot be read */
    error broken_why;
    int64_t size;
    struct strbuf name, urls;
    struct record_parts parts;
    struct strbuf unknown; /* algorithms of its digests that we do not have */
    struct file_url url[URLS_MAX];
    size_t url_count;
    /* the element of it at hand */
    enum field element; /* FIELD_EXTRA: none that is read */
    struct strbuf text;
    struct place place;
    struct span hash_type; /* in hash_name */
    char hash_name[32];
    uint32_t priority;
    uint64_t names[NAME_SLOTS]; /* hashes of names that have been seen */
    size_t name_count;
};

static struct place here(const struct metalink_source *m)
{
    return (struct place){m->list, XML_GetCurrentLineNumber(m->xml),
                          XML_GetCurrentColumnNumber(m->xml) + 1};
}

/* The document ends here, with what fail_at has said. */
static void refuse(struct metalink_source *m, status st)
{
    if (!m->refusal)
        m->refusal = st;
    XML_StopParser(m->xml, XML_FALSE);
}

/* expat never forgets a name. */
static void count_name(struct metalink_source *m, const char *name)
{
    uint64_t hash = hash64(name, strlen(name)) | 1;
    size_t slot = (size_t)(hash >> 32) % NAME_SLOTS;
    while (m->names[slot] && m->names[slot] != hash)
        slot = (slot + 1) % NAME_SLOTS;
    if (m->names[slot])
        return;
    m->names[slot] = hash;
    if (++m->name_count > NAMES_MAX && !m->refusal)
        refuse(m, fail_at(&m->why, here(m),
                          "there are more than %d different names of elements and attributes; this "
                          "is no metalink of files",
                          NAMES_MAX));
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return NULL;
}

/* What it is within the namespace; "" elsewhere. */
static const char *local_name(const char *name)
{
    const char *space = strrchr(name, ' ');
    size_t n = sizeof NAMESPACE - 1;
    return space && (size_t)(space - name) == n && memcmp(name, NAMESPACE, n) == 0 ? space + 1 : "";
}

/* ---- a file ---- */

/* Of a file that cannot be read the first reason is told. */
static void break_file(struct metalink_source *m, status st, const error *why)
{
    if (!st || m->broken)
        return;
    m->broken = st;
    m->broken_why = *why;
}

static void begin_file(struct metalink_source *m, const XML_Char **attributes)
{
    const char *name = attribute(attributes, "name");
    struct span text = span_of(name);
    error why;
    m->place = here(m);
    m->line = m->place.line;
    m->broken = OK;
    m->size = -1;
    m->url_count = 0;
    strbuf_clear(&m->name);
    strbuf_clear(&m->urls);
    strbuf_clear(&m->unknown);
    parts_clear(&m->parts);
    strbuf_add(&m->name, text.p, text.n < LINE_MAX_BYTES ? text.n : LINE_MAX_BYTES);
    if (!text.n)
        break_file(m, fail_at(&why, m->place, "the file has no name"), &why);
    else if (text.n > LINE_MAX_BYTES)
        break_file(m, fail_at(&why, m->place, "the name is longer than %d bytes", LINE_MAX_BYTES),
                   &why);
    else if (field_name_leaves(text)) /* RFC 5854 section 4.1.2.1 */
        break_file(m,
                   fail_at(&why, m->place,
                           "the name \"%.*s\" leads out of the directory; such a metalink is not "
                           "to be trusted",
                           SHOWN(text)),
                   &why);
}

static uint32_t priority_of(const char *text)
{
    uint64_t value;
    bool good = text && parse_uint64(span_of(text), &value) && value && value <= PRIORITY_LOWEST;
    return good ? (uint32_t)value : PRIORITY_LOWEST;
}

static void begin_element(struct metalink_source *m, const char *name, const XML_Char **attributes)
{
    m->element = FIELD_EXTRA;
    m->place = here(m);
    strbuf_clear(&m->text);
    if (strcmp(name, "size") == 0) {
        m->element = FIELD_SIZE;
    } else if (strcmp(name, "url") == 0) {
        m->element = FIELD_URL;
        m->priority = priority_of(attribute(attributes, "priority"));
    } else if (strcmp(name, "hash") == 0) {
        struct span type = span_of(attribute(attributes, "type"));
        m->element = FIELD_DIGEST;
        if (type.n >= sizeof m->hash_name)
            type.n = sizeof m->hash_name - 1;
        if (type.n)
            memcpy(m->hash_name, type.p, type.n);
        m->hash_type = (struct span){m->hash_name, type.n};
    }
}

static struct span trimmed(const struct strbuf *text)
{
    struct span s = {strbuf_text(text), text->n};
    while (s.n && (unsigned char)s.p[0] <= ' ')
        s.p++, s.n--;
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

static status end_url(struct metalink_source *m, struct span text, error *err)
{
    status st = field_url(text, m->place, err);
    if (st)
        return st;
    if (m->url_count == URLS_MAX)
        return fail_at(err, m->place, "the file has more than %d URLs", URLS_MAX);
    struct file_url *u = &m->url[m->url_count++];
    u->at = m->urls.n;
    u->n = text.n;
    u->http = span_starts(text, "http://") || span_starts(text, "https://");
    u->priority = m->priority;
    strbuf_add(&m->urls, text.p, text.n);
    if (!m->urls.failed)
        return OK;
    m->url_count--;
    return fail_at(err, m->place, "the file has more than %zu KiB of URLs", PART_MAX_BYTES >> 10);
}

static status end_hash(struct metalink_source *m, struct span text, error *err)
{
    enum checksum_kind kind;
    if (checksum_named(m->hash_type, &kind)) {
        if (!text.n)
            return fail_at(err, m->place, "the digest is missing");
        return parts_add_digest(&m->parts, kind, text, m->place, err);
    }
    strbuf_addf(&m->unknown, "%s\"%.*s\"", m->unknown.n ? ", " : "", SHOWN(m->hash_type));
    return OK;
}

static void end_element(struct metalink_source *m)
{
    struct span text = trimmed(&m->text);
    error why;
    status st = OK;
    if (m->element != FIELD_EXTRA && m->text.failed)
        st = fail_at(&why, m->place, "the text of the element is longer than %d bytes",
                     LINE_MAX_BYTES);
    else if (m->element == FIELD_SIZE)
        st = field_size(text, &m->size, m->place, &why);
    else if (m->element == FIELD_URL)
        st = end_url(m, text, &why);
    else if (m->element == FIELD_DIGEST)
        st = end_hash(m, text, &why);
    break_file(m, st, &why);
    m->element = FIELD_EXTRA;
}

/* ---- what expat calls ---- */

static void check_root(struct metalink_source *m, const char *name)
{
    if (strcmp(local_name(name), "metalink") == 0)
        return;
    const char *space = strrchr(name, ' ');
    const char *plain = space ? space + 1 : name;
    if (strcmp(plain, "metalink") == 0)
        refuse(m, fail_at(&m->why, here(m),
                          "this is a metalink, but not of version 4 (RFC 5854: the namespace is "
                          "not \"" NAMESPACE "\"); ask for the .meta4 file"));
    else
        refuse(m, fail_at(&m->why, here(m), "this is XML, but no metalink: it begins with <%.64s>",
                          plain));
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct metalink_source *m = user;
    count_name(m, name);
    for (size_t i = 0; attributes[i]; i += 2)
        count_name(m, attributes[i]);
    m->depth++;
    if (m->refusal)
        return;
    if (m->depth > DEPTH_MAX)
        refuse(m, fail_at(&m->why, here(m), "elements lie within more than %d others", DEPTH_MAX));
    else if (m->depth == 1)
        check_root(m, name);
    else if (m->depth == 2 && strcmp(local_name(name), "file") == 0)
        begin_file(m, attributes), m->in_file = true;
    else if (m->depth == 3 && m->in_file)
        begin_element(m, local_name(name), attributes);
}

static void on_end(void *user, const XML_Char *name)
{
    struct metalink_source *m = user;
    if (m->depth == 3 && m->in_file) {
        end_element(m);
    } else if (m->depth == 2 && m->in_file) {
        m->in_file = false;
        m->ready = true;
        XML_StopParser(m->xml, XML_TRUE);
    }
    m->depth--;
}

static void on_text(void *user, const XML_Char *text, int n)
{
    struct metalink_source *m = user;
    if (m->depth == 3 && m->element != FIELD_EXTRA)
        strbuf_add(&m->text, text, (size_t)n);
}

static void on_prefix(void *user, const XML_Char *prefix, const XML_Char *uri)
{
    count_name(user, prefix ? prefix : "");
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    struct metalink_source *m = user;
    refuse(m, fail_at(&m->why, here(m),
                      "a DOCTYPE stands here; a metalink has none, and entities are not read"));
}

/* ---- the document ---- */

static status not_xml(struct metalink_source *m, error *err)
{
    enum XML_Error code = XML_GetErrorCode(m->xml);
    if (code == XML_ERROR_NO_MEMORY)
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", m->list);
    bool cut = m->final && (code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
                            code == XML_ERROR_PARTIAL_CHAR);
    return fail_at(err, here(m), cut ? "the metalink ends too early (%s)" : "not XML: %s",
                   XML_ErrorString(code));
}

static status read_piece(struct metalink_source *m, enum XML_Status *parsed, error *err)
{
    error cause = {0};
    size_t got = 0;
    /* A tag that does not end would make the parser's buffer grow. */
    if (m->fed - (int64_t)XML_GetCurrentByteIndex(m->xml) > TAG_MAX_BYTES && m->fed > TAG_MAX_BYTES)
        return fail_at(err, here(m), "a tag or a comment is longer than %lld bytes",
                       (long long)TAG_MAX_BYTES);
    void *piece = XML_GetBuffer(m->xml, CHUNK_BYTES);
    if (!piece)
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", m->list);
    status st = m->in->type->read(m->in, piece, CHUNK_BYTES, &got, &cause);
    if (st)
        return fail_list(err, st, m->list, &cause);
    m->fed += (int64_t)got;
    m->final = got == 0;
    *parsed = XML_ParseBuffer(m->xml, (int)got, m->final);
    return OK;
}

/* On to the end of the next file. END: there is none. */
static status advance(struct metalink_source *m, error *err)
{
    m->ready = false;
    while (!m->ready) {
        enum XML_Status parsed = XML_STATUS_OK;
        if (m->suspended)
            parsed = XML_ResumeParser(m->xml);
        else if (m->final)
            return WEIR_END;
        else {
            status st = read_piece(m, &parsed, err);
            if (st)
                return st;
        }
        m->suspended = parsed == XML_STATUS_SUSPENDED;
        if (m->refusal)
            return m->refusal;
        if (parsed == XML_STATUS_ERROR)
            return not_xml(m, err);
    }
    return OK;
}

static int by_preference(const void *left, const void *right)
{
    const struct file_url *a = left, *b = right;
    if (a->http != b->http)
        return a->http ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static status take_file(struct metalink_source *m, struct record *out, error *err)
{
    struct place at = {m->list, m->line, 0};
    qsort(m->url, m->url_count, sizeof *m->url, by_preference);
    for (size_t i = 0; i < m->url_count; i++) {
        struct span url = {m->urls.p + m->url[i].at, m->url[i].n};
        if (i == 0)
            out->url = url;
        else
            parts_add_mirror(&m->parts, url);
    }
    out->name = (struct span){strbuf_text(&m->name), m->name.n};
    out->size = m->size;
    if (m->broken) {
        if (err)
            *err = m->broken_why;
        return m->broken;
    }
    if (m->name.failed)
        return fail(err, WEIR_NOMEM, "%s: out of memory for a name", m->list);
    if (!m->url_count)
        return fail_at(err, at, "the file \"%.*s\" has no URL", SHOWN(out->name));
    if (m->unknown.n && !m->parts.digests.n)
        return fail_at(err, at,
                       "the digests of \"%.*s\" are of algorithms that are not known (%.100s); "
                       "known are md5, sha-1, sha-256, sha-512 and crc32c",
                       SHOWN(out->name), m->unknown.p);
    return parts_lend(&m->parts, out, at, err);
}

static status metalink_next(struct source *source, struct record *out, error *err)
{
    struct metalink_source *m = (struct metalink_source *)source;
    *out = (struct record){.size = -1};
    if (!m->refusal) {
        status st = advance(m, &m->why);
        if (st == WEIR_END)
            return st;
        m->refusal = st;
    }
    if (m->refusal) {
        if (err)
            *err = m->why;
        return m->refusal;
    }
    out->line = m->line;
    status st = take_file(m, out, err);
    if (st == WEIR_INPUT)
        record_refused(out, out->name);
    return st;
}

static void metalink_close(struct source *source)
{
    struct metalink_source *m = (struct metalink_source *)source;
    if (m->xml)
        XML_ParserFree(m->xml);
    reader_close(m->in);
    free(m->list);
    parts_free(&m->parts);
    strbuf_free(&m->name);
    strbuf_free(&m->urls);
    strbuf_free(&m->unknown);
    strbuf_free(&m->text);
    free(m);
}

static status metalink_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct metalink_source *m = calloc(1, sizeof *m);
    if (!m) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    m->head.type = &source_metalink;
    m->in = in;
    parts_init(&m->parts);
    m->urls.max = PART_MAX_BYTES;
    m->text.max = LINE_MAX_BYTES;
    m->unknown.max = LINE_MAX_BYTES;
    m->list = strdup(list);
    m->xml = XML_ParserCreateNS(NULL, ' ');
    if (!m->list || !m->xml) {
        metalink_close(&m->head);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    XML_SetUserData(m->xml, m);
    XML_SetElementHandler(m->xml, on_start, on_end);
    XML_SetCharacterDataHandler(m->xml, on_text);
    XML_SetStartNamespaceDeclHandler(m->xml, on_prefix);
    XML_SetStartDoctypeDeclHandler(m->xml, on_doctype);
    *out = &m->head;
    return OK;
}

/* XML, of which this is the only kind that may be a list: the parser says what is wrong with
 * another. */
static int metalink_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole))
        return 0;
    line = span_trim(line);
    return span_starts(line, "<?xml ") || span_starts(line, "<metalink") ? 95 : 0;
}

const struct source_type source_metalink = {
    .name = "metalink",
    .help = "Metalink 4 (.meta4, RFC 5854): names, sizes, digests, mirrors by priority",
    .sniff = metalink_sniff,
    .open = metalink_open,
    .next = metalink_next,
    .close = metalink_close,
};
