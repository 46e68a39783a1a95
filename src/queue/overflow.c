/* The overflow file; see overflow.h.
 *
 * Blocks of 64 KiB. In a block: records (a length, then the job), and where the next record does
 * not fit, a link to the chain's next block. Blocks that have been read form a free list in the
 * file itself.
 *
 * Appends gather in one staging block, which is written when it is full or when another chain
 * comes; reads look into the staging block first, so that nothing needs to be written before it
 * can be read. A write that fails therefore loses nothing: what is staged stays readable, and the
 * append answers the error.
 *
 * Runs on whatever thread holds the owner's lock for it. Reads are of one block at most, as a rule
 * from the page cache.
 */
#include "queue/overflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/job.h"

#define BLOCK 65536u
#define NO_BLOCK UINT64_MAX
#define LINK UINT32_MAX /* in place of a length: a block number follows */
#define LENGTH_BYTES ((uint32_t)sizeof(uint32_t))
#define LINK_BYTES (LENGTH_BYTES + (uint32_t)sizeof(uint64_t))

/* Bytes [from, end) of a block. */
struct window {
    uint64_t block;
    uint32_t from, end;
    char bytes[BLOCK];
};

struct overflow {
    int fd;          /* -1: not made yet */
    uint64_t blocks; /* the file's length */
    uint64_t in_use; /* of them in chains */
    uint64_t first_free;
    struct window staged; /* appended, not written yet */
    struct window cached; /* read */
};

struct overflow *overflow_new(void)
{
    struct overflow *o = malloc(sizeof *o); /* the windows' pages are touched on use only */
    if (!o)
        return NULL;
    o->fd = -1;
    o->blocks = o->in_use = 0;
    o->first_free = o->staged.block = o->cached.block = NO_BLOCK;
    return o;
}

void overflow_free(struct overflow *o)
{
    if (!o)
        return;
    if (o->fd >= 0)
        close(o->fd);
    free(o);
}

bool overflow_takes(uint32_t bytes)
{
    return bytes <= BLOCK - LENGTH_BYTES - LINK_BYTES;
}

/* Bytes read (fewer at the end of the file), or -errno. */
static int64_t read_at(int fd, char *to, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static uint64_t block_take(struct overflow *o)
{
    uint64_t block = o->first_free, next;
    if (block == NO_BLOCK)
        block = o->blocks++;
    else if (read_at(o->fd, (char *)&next, sizeof next, block * BLOCK) == sizeof next)
        o->first_free = next;
    else { /* the free list is lost, the file grows instead */
        o->first_free = NO_BLOCK;
        block = o->blocks++;
    }
    o->in_use++;
    return block;
}

static void block_give(struct overflow *o, uint64_t block)
{
    if (o->staged.block == block)
        o->staged.block = NO_BLOCK;
    if (o->cached.block == block)
        o->cached.block = NO_BLOCK;
    if (--o->in_use == 0) {
        if (ftruncate(o->fd, 0) == 0) {
            o->blocks = 0;
            o->first_free = NO_BLOCK;
            return;
        }
    }
    if (fs_write_all(o->fd, &o->first_free, sizeof o->first_free, (int64_t)(block * BLOCK)) == 0)
        o->first_free = block; /* else it is not used again */
}

static int flush(struct overflow *o)
{
    struct window *w = &o->staged;
    if (w->block == NO_BLOCK)
        return 0;
    int rc = fs_write_all(o->fd, w->bytes + w->from, w->end - w->from,
                          (int64_t)(w->block * BLOCK + w->from));
    if (rc == 0)
        w->block = NO_BLOCK;
    return rc;
}

/* Stages bytes at the end of what the chain has; on failure nothing has changed. */
static int stage(struct overflow *o, const struct overflow_chain *chain, uint32_t length,
                 const void *data, uint32_t size)
{
    struct window *w = &o->staged;
    if (w->block != chain->tail || w->end != chain->tail_at) {
        int rc = flush(o);
        if (rc)
            return rc;
        w->block = chain->tail;
        w->from = w->end = chain->tail_at;
    }
    memcpy(w->bytes + w->end, &length, LENGTH_BYTES);
    memcpy(w->bytes + w->end + LENGTH_BYTES, data, size);
    w->end += LENGTH_BYTES + size;
    return 0;
}

/* The chain goes on in a new block. */
static int extend(struct overflow *o, struct overflow_chain *chain)
{
    uint64_t next = block_take(o);
    int rc = stage(o, chain, LINK, &next, sizeof next);
    if (rc == 0 && (rc = flush(o)) != 0) {
        o->staged.end -= LINK_BYTES;
        if (o->staged.end == o->staged.from) /* nothing but the link */
            o->staged.block = NO_BLOCK;
    }
    if (rc) {
        block_give(o, next);
        return rc;
    }
    chain->tail = next;
    chain->tail_at = 0;
    return 0;
}

int overflow_append(struct overflow *o, struct overflow_chain *chain, const struct job *job)
{
    if (!overflow_takes(job->bytes))
        return -EFBIG;
    if (o->fd < 0 && (o->fd = fs_temporary_file()) < 0) {
        int rc = o->fd;
        o->fd = -1;
        return rc;
    }
    int rc = 0;
    if (!chain->jobs)
        *chain = (struct overflow_chain){.head = block_take(o)}, chain->tail = chain->head;
    else if (chain->tail_at + LENGTH_BYTES + job->bytes + LINK_BYTES > BLOCK)
        rc = extend(o, chain);
    if (rc)
        return rc;
    rc = stage(o, chain, job->bytes, job, job->bytes);
    if (rc) { /* never in a block that extend() has begun: nothing is staged then */
        if (!chain->jobs)
            block_give(o, chain->tail);
        return rc;
    }
    chain->tail_at += LENGTH_BYTES + job->bytes;
    chain->jobs++;
    return 0;
}

/* Makes bytes [from, from + size) of the chain's first block readable in `cached`. */
static int load(struct overflow *o, const struct overflow_chain *chain, uint32_t size)
{
    struct window *w = &o->cached;
    const struct window *s = &o->staged;
    uint32_t from = chain->head_at;
    if (w->block == chain->head && w->from <= from && w->end >= from + size)
        return 0;
    uint32_t end = chain->head == chain->tail ? chain->tail_at : BLOCK;
    bool staged = s->block == chain->head;
    uint32_t written = staged && s->from < end ? s->from : end;

    w->block = NO_BLOCK;
    if (from < written) {
        int64_t got = read_at(o->fd, w->bytes + from, written - from, chain->head * BLOCK + from);
        if (got < 0)
            return (int)got;
        if (!staged)
            end = from + (uint32_t)got; /* the file's last block may be short */
        else if (got < written - from)
            return -EIO;
    }
    if (staged) {
        uint32_t start = from > s->from ? from : s->from;
        memcpy(w->bytes + start, s->bytes + start, s->end - start);
    }
    if (end < from + size)
        return -EIO;
    w->block = chain->head;
    w->from = from;
    w->end = end;
    return 0;
}

/* The length of the first record; follows a link. */
static int first_length(struct overflow *o, struct overflow_chain *chain, uint32_t *length)
{
    for (;;) {
        int rc = load(o, chain, LENGTH_BYTES);
        if (rc)
            return rc;
        memcpy(length, o->cached.bytes + chain->head_at, LENGTH_BYTES);
        if (*length != LINK)
            return overflow_takes(*length) && *length >= sizeof(struct job) ? 0 : -EIO;
        rc = load(o, chain, LINK_BYTES);
        if (rc)
            return rc;
        uint64_t done = chain->head;
        memcpy(&chain->head, o->cached.bytes + chain->head_at + LENGTH_BYTES, sizeof chain->head);
        chain->head_at = 0;
        block_give(o, done);
    }
}

int overflow_next(struct overflow *o, struct overflow_chain *chain, struct job **out)
{
    *out = NULL;
    if (!chain->jobs)
        return 0;
    uint32_t length;
    int rc = first_length(o, chain, &length);
    if (rc == 0)
        rc = load(o, chain, LENGTH_BYTES + length);
    if (rc)
        return rc;
    struct job *job = malloc(length);
    if (!job)
        return -ENOMEM;
    memcpy(job, o->cached.bytes + chain->head_at + LENGTH_BYTES, length);
    job->next = NULL;
    job->host = NULL;
    job->fetch = NULL;
    chain->head_at += LENGTH_BYTES + length;
    if (--chain->jobs == 0) /* its last block is its tail: a link is always followed by a record */
        block_give(o, chain->tail);
    *out = job;
    return 0;
}
