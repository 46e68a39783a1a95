/* Validators that read a shard from end to end, decoded as it is compressed: gzip, zstd, tar,
 * jsonl. See validate.h. A finisher thread; memory is one block and, for jsonl, one line.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/decoder.h"
#include "core/reader.h"
#include "json/json_cursor.h"
#include "prefetch/validate.h"

#define BLOCK ((size_t)256 << 10)
#define LINE_MOST ((size_t)256 << 20)
#define TAR_BLOCK 512

/* What comes out of the file; `feed` takes it piece by piece, `end` judges the whole. */
struct flow {
    const char *name;
    status (*feed)(struct flow *f, const char *data, size_t size, error *err);
    status (*end)(struct flow *f, error *err);
    int64_t at; /* bytes fed before */
    /* jsonl */
    struct strbuf line;
    uint64_t number;
    /* tar */
    char header[TAR_BLOCK];
    size_t header_bytes;
    uint64_t skip; /* bytes of a member and of its padding still to come */
    unsigned empty_blocks;
    uint64_t members;
};

static status decoded(const struct validate_input *in, struct flow *f, error *err)
{
    struct reader *reader = NULL;
    error cause = {0};
    size_t got = 1;
    int copy = dup(in->fd);
    if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0) {
        int sys_errno = errno;
        if (copy >= 0)
            close(copy);
        return fail_errno(err, WEIR_DISK, sys_errno, "%s: cannot be read back", in->name);
    }
    char *block = malloc(BLOCK);
    status st = reader_open_fd(&reader, copy, true, in->name, &cause);
    if (!st)
        st = reader_open_decoded(&reader, reader, &cause);
    if (!st && !block)
        st = fail(&cause, WEIR_NOMEM, "out of memory");
    f->name = in->name;
    while (!st && got) {
        st = reader->type->read(reader, block, BLOCK, &got, &cause);
        if (!st && atomic_load(in->leave))
            st = fail(&cause, WEIR_CANCELLED, "stopped");
        if (!st && got && f->feed)
            st = f->feed(f, block, got, &cause);
        f->at += (int64_t)got;
    }
    if (!st && f->end)
        st = f->end(f, &cause);
    free(block);
    reader_close(reader);
    strbuf_free(&f->line);
    return st ? fail(err, st, "%s: %s", in->name, cause.message) : OK;
}

/* ---- gzip, zstd ---- */

static status compressed(const struct validate_input *in, const char *codec, error *err)
{
    char head[DECODER_HEAD];
    ssize_t n = pread(in->fd, head, sizeof head, 0);
    const struct decoder_type *type = decoder_sniff((struct span){head, n > 0 ? (size_t)n : 0});
    if (!type || strcmp(type->name, codec) != 0)
        return fail(err, WEIR_DECODE, "%s: does not begin like %s", in->name, codec);
    struct flow f = {0};
    return decoded(in, &f, err);
}

status validate_gzip(const struct validate_input *in, error *err)
{
    return compressed(in, "gzip", err);
}

status validate_zstd(const struct validate_input *in, error *err)
{
    return compressed(in, "zstd", err);
}

/* ---- jsonl ---- */

static status check_line(struct flow *f, struct span line, error *err)
{
    struct json_cursor c;
    struct span value;
    f->number++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (!span_trim(line).n)
        return OK;
    json_cursor_init(&c, line);
    if (json_cursor_value(&c, &value) && json_cursor_ended(&c))
        return OK;
    return fail(err, WEIR_RECORD, "line %llu: not JSON, column %zu: %s",
                (unsigned long long)f->number, c.at + 1, c.wrong ? c.wrong : "not JSON");
}

static status feed_lines(struct flow *f, const char *data, size_t size, error *err)
{
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t n = newline ? (size_t)(newline - data) : size;
        struct span line = {data, n};
        if (f->line.n || !newline) {
            f->line.max = LINE_MOST;
            strbuf_add(&f->line, data, n);
            if (f->line.failed)
                return fail(err, WEIR_RECORD, "line %llu: is longer than %zu MiB",
                            (unsigned long long)f->number + 1, LINE_MOST >> 20);
            line = (struct span){f->line.p, f->line.n};
        }
        status st = newline ? check_line(f, line, err) : OK;
        if (st)
            return st;
        if (newline)
            strbuf_clear(&f->line);
        data += n + (newline != NULL);
        size -= n + (newline != NULL);
    }
    return OK;
}

static status end_lines(struct flow *f, error *err)
{
    return f->line.n ? check_line(f, (struct span){f->line.p, f->line.n}, err) : OK;
}

status validate_jsonl(const struct validate_input *in, error *err)
{
    struct flow f = {.feed = feed_lines, .end = end_lines};
    return decoded(in, &f, err);
}

/* ---- tar ----
 * POSIX.1-2017, pax, "ustar Interchange Format": blocks of 512 bytes, a header with a sum of its
 * bytes before each member, the member's bytes filled up to whole blocks, two empty blocks at the
 * end. GNU writes large sizes in base 256. */

static bool parse_octal(const char *p, size_t n, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    if ((unsigned char)p[0] & 0x80) {
        for (i = 4; i < n; i++) /* the first bytes hold more than any disk */
            *out = *out << 8 | (unsigned char)p[i];
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    size_t first = i;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    return (i > first || i == n || !p[i]) && (i == n || p[i] == ' ' || !p[i]);
}

static bool is_empty(const char *block)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* Some old programs added the bytes as signed ones. */
static bool sum_is_right(const char *block)
{
    uint64_t wanted;
    int64_t sum = 0, as_signed = 0;
    if (!parse_octal(block + 148, 8, &wanted))
        return false;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        char c = i >= 148 && i < 156 ? ' ' : block[i];
        sum += (unsigned char)c;
        as_signed += (signed char)c;
    }
    return (uint64_t)sum == wanted || as_signed == (int64_t)wanted;
}

static status take_header(struct flow *f, error *err)
{
    uint64_t size;
    if (is_empty(f->header)) {
        f->empty_blocks++;
        return OK;
    }
    if (f->empty_blocks >= 2) /* what follows the end counts for nothing */
        return OK;
    f->empty_blocks = 0;
    if (!sum_is_right(f->header) || !parse_octal(f->header + 124, 12, &size) ||
        size > (uint64_t)1 << 60)
        return fail(err, WEIR_RECORD, "a tar file with a damaged header, after %llu members",
                    (unsigned long long)f->members);
    f->members++;
    char type = f->header[156];
    bool has_body = !(type >= '1' && type <= '6');
    f->skip = has_body ? (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK : 0;
    return OK;
}

static status feed_tar(struct flow *f, const char *data, size_t size, error *err)
{
    while (size > 0) {
        if (f->skip) {
            size_t n = size < f->skip ? size : (size_t)f->skip;
            f->skip -= n;
            data += n;
            size -= n;
            continue;
        }
        size_t n = TAR_BLOCK - f->header_bytes < size ? TAR_BLOCK - f->header_bytes : size;
        memcpy(f->header + f->header_bytes, data, n);
        f->header_bytes += n;
        data += n;
        size -= n;
        if (f->header_bytes < TAR_BLOCK)
            continue;
        f->header_bytes = 0;
        status st = take_header(f, err);
        if (st)
            return st;
    }
    return OK;
}

/* One empty block at the end is enough for every reader there is. */
static status end_tar(struct flow *f, error *err)
{
    if (f->skip || f->header_bytes || !f->empty_blocks)
        return fail(err, WEIR_RECORD, "a tar file that is cut off, after %llu members",
                    (unsigned long long)f->members);
    return OK;
}

status validate_tar(const struct validate_input *in, error *err)
{
    struct flow f = {.feed = feed_tar, .end = end_tar};
    return decoded(in, &f, err);
}
