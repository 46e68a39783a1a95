/* Reading the list; see shard_index.h.
 *
 * Two files: `places`, 24 bytes a record, and `texts`, the records as parts with their lengths
 * before them.
 */
#include "prefetch/shard_index.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/array.h"
#include "core/fs.h"
#include "engine/input.h"
#include "net/url.h"
#include "sink/name.h"

#define PARTS 5
#define BLOCK ((size_t)1 << 20)

struct place {
    int64_t offset, size;
    uint64_t hash; /* of all names up to this one */
};

struct shard_index {
    int texts, places;
    uint64_t start, limit, count; /* count: taken */
    uint64_t seen;                /* records of the lists so far */
    int64_t written;              /* bytes of `texts`, those in `gathered` included */
    uint64_t hash;                /* of the names so far */
    struct strbuf gathered, gathered_places;
    uint64_t *pins;
    size_t pin_count, pin_capacity;
    bool many_hosts;
    char *first_host;
};

/* What reading needs besides. */
struct reading {
    struct shard_index *x;
    const struct options *options;
    struct name_set *names;
    struct strbuf name, other;
    struct url url;
};

/* ---- writing ---- */

static status flush(struct shard_index *x, error *err)
{
    int64_t done = x->written - (int64_t)x->gathered.n;
    int64_t places = (int64_t)(x->count * sizeof(struct place)) - (int64_t)x->gathered_places.n;
    int rc = fs_write_all(x->texts, x->gathered.p, x->gathered.n, done);
    if (!rc)
        rc = fs_write_all(x->places, x->gathered_places.p, x->gathered_places.n, places);
    strbuf_clear(&x->gathered);
    strbuf_clear(&x->gathered_places);
    return rc ? fail_errno(err, WEIR_DISK, -rc, "the list of shards cannot be kept in $TMPDIR")
              : OK;
}

static status add_record(struct shard_index *x, const struct record *r, const char *name,
                         error *err)
{
    struct span parts[PARTS] = {r->url, span_of(name), r->mirrors, r->digests, r->headers};
    uint64_t pair[2] = {x->hash, hash64(name, strlen(name))};
    x->hash = hash64(pair, sizeof pair);
    struct place place = {x->written, r->size, x->hash};
    size_t before = x->gathered.n;
    for (size_t i = 0; i < PARTS; i++) {
        uint32_t n = (uint32_t)parts[i].n;
        strbuf_add(&x->gathered, &n, sizeof n);
        strbuf_add(&x->gathered, parts[i].p, n);
        strbuf_addc(&x->gathered, '\0');
    }
    strbuf_add(&x->gathered_places, &place, sizeof place);
    if (x->gathered.failed || x->gathered_places.failed)
        return fail(err, WEIR_NOMEM, "out of memory for the list of shards");
    x->written += (int64_t)(x->gathered.n - before);
    x->count++;
    return x->gathered.n >= BLOCK ? flush(x, err) : OK;
}

static status add_pin(struct shard_index *x, uint64_t index, error *err)
{
    uint64_t *roomy = array_grow(x->pins, x->pin_count, &x->pin_capacity, sizeof *roomy);
    if (!roomy)
        return fail(err, WEIR_NOMEM, "out of memory for the pinned shards");
    x->pins = roomy;
    x->pins[x->pin_count++] = index;
    return OK;
}

/* ---- names ---- */

static status parse_url(struct reading *g, struct span text, error *err)
{
    const char *base = g->options->input_base_url;
    return base ? url_resolve(&g->url, base, text, err) : url_parse(&g->url, text, err);
}

static status plain_name(struct reading *g, const struct record *r, uint64_t index, error *err)
{
    strbuf_clear(&g->name);
    if (r->name.n)
        return name_sanitise(&g->name, r->name, err);
    struct name_parts parts = {.host = g->url.host,
                               .path = g->url.path,
                               .query = g->url.query,
                               .port = g->url.default_port ? 0 : g->url.port,
                               .index = index,
                               .id = r->id,
                               .url = g->url.text.p};
    const char *tmpl = g->options->save_tree ? "{host}/{path}" : g->options->save_name;
    return name_expand(&g->name, tmpl, g->options->save_tree, (int)g->options->save_cut_dirs,
                       &parts, err);
}

/* Two records of one name are two files, also where they are of one URL: each is a position of its
 * own. The number of the record tells them apart. */
static status own_name(struct reading *g, uint64_t index, error *err)
{
    for (int round = 0; round < 2; round++) {
        enum name_claim claim = name_set_claim(g->names, strbuf_text(&g->name), "");
        if (claim == NAME_FREE)
            return OK;
        if (claim == NAME_NOMEM)
            return fail(err, WEIR_NOMEM, "out of memory for the names of the shards");
        strbuf_clear(&g->other);
        name_with_number(&g->other, strbuf_text(&g->name), (unsigned)index);
        struct strbuf was = g->name;
        g->name = g->other;
        g->other = was;
    }
    return fail(err, WEIR_INPUT, "%s: two shards have this name, and that of its number too",
                strbuf_text(&g->other));
}

static status check_name(const char *name, error *err)
{
    if (strncmp(name, ".weir-prefetch", 14) == 0 && (name[14] == '/' || !name[14]))
        return fail(err, WEIR_INPUT, "%s: that folder is where weir prefetch keeps its state",
                    name);
    return OK;
}

/* ---- reading ---- */

static void note_host(struct reading *g)
{
    struct shard_index *x = g->x;
    if (!x->first_host)
        x->first_host = strndup(g->url.authority.p, g->url.authority.n);
    else if (!span_equal(g->url.authority, x->first_host))
        x->many_hosts = true;
}

static bool is_pinned(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->prefetch_pin.n; i++)
        if (fnmatch(o->prefetch_pin.items[i], name, 0) == 0)
            return true;
    return false;
}

static status take_record(struct reading *g, const struct record *r, error *err)
{
    struct shard_index *x = g->x;
    uint64_t index = x->seen++;
    if (index < x->start)
        return OK;
    status st = parse_url(g, r->url, err);
    if (!st)
        st = plain_name(g, r, index, err);
    if (!st)
        st = check_name(strbuf_text(&g->name), err);
    if (!st)
        st = own_name(g, index, err);
    if (st)
        return st;
    note_host(g);
    if (is_pinned(g->options, strbuf_text(&g->name)))
        st = add_pin(x, index, err);
    return st ? st : add_record(x, r, strbuf_text(&g->name), err);
}

static bool has_all(const struct shard_index *x)
{
    return x->limit && x->count == x->limit;
}

/* A line that cannot be read is a position that nobody can have: the list is to be mended. */
static status fail_at(const struct input *input, const struct record *r, status st, error *err)
{
    error cause = *err;
    return fail(err, st == WEIR_NOMEM ? st : WEIR_INPUT, "%s:%llu: %s", input->list,
                (unsigned long long)r->line, cause.message);
}

static status read_list(struct reading *g, struct input *input, error *err)
{
    status st = input_start(input, err);
    while (!st && !has_all(g->x)) {
        struct record r = {0};
        st = source_next(input->source, &r, err);
        if (st == WEIR_INPUT && r.line)
            return fail_at(input, &r, st, err);
        if (!st && (st = take_record(g, &r, err)) != OK)
            return fail_at(input, &r, st, err);
    }
    return st == WEIR_END ? OK : st;
}

static status read_all(struct reading *g, const char *const *lists, size_t n, weir_config *config,
                       error *err)
{
    status st = OK;
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    if (stop_fd < 0)
        return fail_errno(err, WEIR_NOMEM, errno, "cannot make an event descriptor");
    for (size_t i = 0; i < n && !st && !has_all(g->x); i++) {
        struct input *input = NULL;
        st = input_open(&input, lists[i], g->options->input_format, stop_fd, config, err);
        if (!st)
            st = read_list(g, input, err);
        input_free(input);
    }
    close(stop_fd);
    if (!st)
        st = flush(g->x, err);
    if (!st && !g->x->count)
        st = fail(err, WEIR_INPUT, "the list has no shard%s",
                  g->x->start ? " from prefetch.start on" : "");
    return st;
}

status shard_index_open(struct shard_index **out, const char *const *lists, size_t n,
                        weir_config *config, uint64_t start, uint64_t limit, error *err)
{
    struct shard_index *x = calloc(1, sizeof *x);
    if (!x)
        return fail(err, WEIR_NOMEM, "out of memory");
    x->start = start;
    x->limit = limit;
    x->texts = fs_temporary_file();
    x->places = fs_temporary_file();
    struct reading g = {.x = x, .options = config_options(config), .names = name_set_new()};
    url_init(&g.url);
    status st = OK;
    if (x->texts < 0 || x->places < 0)
        st = fail_errno(err, WEIR_DISK, x->texts < 0 ? -x->texts : -x->places,
                        "cannot make a temporary file for the list of shards");
    else if (!g.names)
        st = fail(err, WEIR_NOMEM, "out of memory");
    else
        st = read_all(&g, lists, n, config, err);
    name_set_free(g.names);
    strbuf_free(&g.name);
    strbuf_free(&g.other);
    url_free(&g.url);
    strbuf_free(&x->gathered);
    strbuf_free(&x->gathered_places);
    if (st) {
        shard_index_close(x);
        return st;
    }
    *out = x;
    return OK;
}

void shard_index_close(struct shard_index *x)
{
    if (!x)
        return;
    if (x->texts >= 0)
        close(x->texts);
    if (x->places >= 0)
        close(x->places);
    strbuf_free(&x->gathered);
    strbuf_free(&x->gathered_places);
    free(x->pins);
    free(x->first_host);
    free(x);
}

/* ---- looking ---- */

uint64_t shard_index_count(const struct shard_index *x)
{
    return x->count;
}

bool shard_index_one_host(const struct shard_index *x)
{
    return !x->many_hosts;
}

bool shard_index_pin(const struct shard_index *x, size_t i, uint64_t *index)
{
    if (i >= x->pin_count)
        return false;
    *index = x->pins[i];
    return true;
}

static bool read_at(int fd, void *out, size_t n, int64_t offset)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = pread(fd, p, n, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
        offset += got;
    }
    return true;
}

static bool place_at(const struct shard_index *x, uint64_t index, struct place *out)
{
    uint64_t at = index - x->start;
    return index >= x->start && at < x->count &&
           read_at(x->places, out, sizeof *out, (int64_t)(at * sizeof *out));
}

int64_t shard_size(const struct shard_index *x, uint64_t index)
{
    struct place place;
    return place_at(x, index, &place) ? place.size : -1;
}

status shard_get(const struct shard_index *x, uint64_t index, struct shard *out, error *err)
{
    struct place place, next;
    struct span parts[PARTS];
    bool last = index + 1 - x->start >= x->count;
    bool found = place_at(x, index, &place) && (last || place_at(x, index + 1, &next));
    size_t n = found ? (size_t)((last ? x->written : next.offset) - place.offset) : 0;
    strbuf_clear(&out->buffer);
    char *text = found ? malloc(n) : NULL;
    if (found && text && read_at(x->texts, text, n, place.offset))
        strbuf_add(&out->buffer, text, n);
    free(text);
    if (!out->buffer.n || out->buffer.failed)
        return fail(err, WEIR_DISK, "shard %llu: its record cannot be read back",
                    (unsigned long long)index);
    const char *p = out->buffer.p;
    for (size_t i = 0; i < PARTS; i++) {
        uint32_t size;
        memcpy(&size, p, sizeof size);
        parts[i] = (struct span){p + sizeof size, size};
        p += sizeof size + size + 1;
    }
    out->url = parts[0].p;
    out->name = parts[1].p;
    out->size = place.size;
    out->mirrors = parts[2];
    out->digests = parts[3];
    out->headers = parts[4];
    return OK;
}

uint64_t shard_index_hash(const struct shard_index *x, uint64_t n)
{
    struct place place;
    uint64_t last = n < x->count ? n : x->count;
    return last && place_at(x, x->start + last - 1, &place) ? place.hash : 0;
}
