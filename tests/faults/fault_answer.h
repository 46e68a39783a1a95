/* Decides what a request gets: a good answer, or a bad one, by the faults in its query (README.md).
 */
#ifndef FAULT_ANSWER_H
#define FAULT_ANSWER_H

#include "fault_request.h"
#include "fault_source.h"
#include "fault_text.h"

enum fault_end {
    END_WELL, /* whole; the connection may be used again */
    END_CLOSE,
    END_RESET,
    END_SILENT /* nothing more is sent; the connection stays open */
};

enum chunk_form { /* how a chunk says its size; from CHUNK_NEGATIVE on from the second one on */
                  CHUNK_PLAIN,
                  CHUNK_EXTENDED,
                  CHUNK_LONG_EXTENSION,
                  CHUNK_UPPER,
                  CHUNK_ZEROS,
                  CHUNK_SPACES,
                  CHUNK_LF,
                  CHUNK_NEGATIVE,
                  CHUNK_OVERFLOW,
                  CHUNK_HUGE,
                  CHUNK_PREFIX,
                  CHUNK_EMPTY,
                  CHUNK_LESS,
                  CHUNK_MORE
};

struct answer {
    int status;
    struct text head;   /* all that is sent before the body, 1xx answers included */
    struct text memory; /* the body when `from_memory` */
    struct text tail;   /* all that is sent behind the body: the last chunk, and more */
    bool tail_joined;   /* it comes in one piece with the last bytes of the body */
    bool from_memory;
    struct source body; /* otherwise: `size` bytes of it from there */
    uint64_t from;
    int64_t size;
    bool chunked, bad_chunk, cut_chunk;
    enum chunk_form form;
    int64_t head_drip_bytes, head_drip_ms; /* 0 = at full speed */
    int64_t stop_at; /* body bytes after which `end` happens; -1 = after the whole of it */
    enum fault_end end;
    int64_t drip_bytes, drip_ms; /* 0 = at full speed */
    int64_t delay_ms;            /* before the head */
};

/* How often each target has been asked for, and what holds for the whole server. */
struct counts {
    struct count_slot {
        uint64_t key, count;
    } * slots;
    size_t used, room;
    uint64_t limited;      /* requests with `hostfirst` so far */
    int64_t limited_since; /* ms of the first request with `for_ms`; -1 = none yet */
};

void counts_reset(struct counts *c);
/* Empties `out` (its memory is kept) and fills it. */
void answer_make(struct answer *out, const struct request *r, struct counts *counts,
                 struct library *library, int64_t now_ms);
/* Bytes of the body, from the `given`-th of this answer on. */
void answer_read(const struct answer *a, int64_t given, char *out, size_t size);
void answer_free(struct answer *a);
/* A small answer of the server itself. */
void answer_text(struct answer *out, int status, const char *type, const struct text *body);

#endif
