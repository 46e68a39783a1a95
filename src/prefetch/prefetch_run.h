/* The prefetcher: what its threads share.
 *
 *   callers, line_face ── weir_prefetch_next, _release ...      prefetch.c, delivery_desk.c
 *        │  readers: who has what           window: what is to be done
 *        ▼
 *   planner (1 thread)   takes shards, deletes files             planner.c
 *        │ weir_engine_add
 *        ▼
 *   engine (its own threads)   into .weir-prefetch/fetch/NUMBER  shard_fetch.c hears of it
 *        │ on_end
 *        ▼
 *   finishers (2 threads)  validate, put down, give the name     finisher.c, validate.c
 *
 * The state of the cache is in memory (readers, window, notes) under `lock`, and on disk in the log
 * (cache_state.c) under `state_lock`. Lock order: state_lock, lock, then what core/thread.h says.
 * No I/O happens under `lock`; the writing of the log is what state_lock is for. What is logged
 * before it holds (a commit, a finished shard) is applied before state_lock is let go, so that a
 * rewriting of the log never misses it.
 */
#ifndef WEIR_PREFETCH_RUN_H
#define WEIR_PREFETCH_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/options.h"
#include "core/clock.h"
#include "prefetch/lookahead.h"
#include "prefetch/shard_index.h"
#include "prefetch/state_log.h"
#include "prefetch/window.h"
#include "weir/prefetch.h"

#define OWN_FOLDER ".weir-prefetch"
#define FETCH_FOLDER OWN_FOLDER "/fetch"
#define QUARANTINE_FOLDER OWN_FOLDER "/quarantine"
#define FINISHERS 2
#define FACES 4
#define EARLY_WARNINGS 8
#define SHARD_FREE_DEFAULT 1000000000 /* save.min_free, where nobody has set it */

/* On bad shards, in the order of options.def. */
enum on_bad { ON_BAD_FAIL, ON_BAD_SKIP, ON_BAD_QUARANTINE };

/* What is known of a slot beyond the window's affairs. */
struct note {
    char *name;       /* READY */
    char *digest;     /* READY; NULL = none */
    int64_t mtime_ns; /* READY */
    uint64_t started; /* READY: its fetch; 0 = in an earlier run */
    uint64_t ready;   /* ... and since when it is */
    bool skipped;     /* BAD: go on */
    error why;        /* BAD */
};

/* A shard on its way. Belongs to the engine's callbacks, then to a finisher. */
struct shard_fetch {
    struct shard_fetch *next, *live_next;
    struct weir_prefetch *p;
    uint64_t index;
    uint64_t started; /* the first time */
    bool urgent;      /* somebody waits for it: it may take more than one connection */
    uint32_t tries;   /* times that it was fetched and found bad */
    uint32_t again;   /* times that the command has said 75 */
    bool sized;       /* its length is known */
    bool no_room;     /* stopped because it found none */
    int64_t got;      /* bytes of it */
    int64_t granted;  /* bytes that it may have, where its length is not known */
    char *digest;     /* it was checked by; NULL = none */
    error why;        /* status OK unless it failed */
};

struct presence {
    uint32_t connections;
    bool by_connection; /* it comes over a connection, and may be missed */
    uint64_t gone_at;
    bool has_had; /* a shard: waiting for the next is a stall */
    bool pushed;  /* it gets what is ready without asking */
};

struct weir_consumer {
    struct weir_prefetch *p;
    char name[READER_NAME];
    uint32_t rank;
    struct weir_consumer *next;
};

struct line_face;

struct weir_prefetch {
    /* set by _open, then read-only */
    weir_config *config;
    bool owns_config;
    const struct options *options;
    int64_t min_free;
    bool segments_given; /* save.segments was set */
    int dirfd, own_fd;   /* the cache, and OWN_FOLDER in it */
    char *dir;           /* absolute */
    struct shard_index *index;
    weir_engine *engine;
    pthread_t engine_thread, planner_thread, finisher_threads[FINISHERS];
    bool engine_started, planner_started;
    uint32_t finishers_started;
    uint64_t opened_at;
    _Atomic bool leaving; /* with leave_fd readable: validators are to end */
    int leave_fd;
    struct line_face *listener;
    pthread_t listener_thread;

    pthread_mutex_t state_lock;
    struct state_log *log; /* guarded by state_lock */
    int64_t log_compact_at;

    pthread_mutex_t event_lock; /* held while the user's callback runs; innermost, nothing else */
    void (*on_event)(const weir_event *event, void *user);
    void *event_user;
    char *early[EARLY_WARNINGS]; /* before anybody listened */
    size_t early_count;

    pthread_mutex_t lock;
    /* guarded by lock */
    pthread_cond_t plan;    /* for the planner: something has changed */
    pthread_cond_t arrived; /* for those who wait: a shard, or the end */
    pthread_cond_t work;    /* for the finishers */
    struct readers readers;
    struct window window;
    struct presence presence[READERS_MAX];
    struct lookahead lookahead;
    struct shard_fetch *finished, **finished_end;
    struct shard_fetch *live; /* under way in the engine */
    struct weir_consumer *consumers;
    int faces[FACES]; /* eventfds to be woken with `arrived` */
    size_t face_count;
    bool planned; /* `plan` was signalled */
    bool filled;  /* prefetch.prefill is fulfilled */
    bool low, said_low, said_blocked;
    bool stopping, engine_ended, finishing_ends;
    error broken;        /* why it stops, where that is no wish */
    error first_failure; /* of a shard, with on_bad = fail */
    uint64_t high;       /* one behind the highest position released */
    weir_prefetch_stats stats;
};

/* prefetch.c */
void prefetch_changed_locked(struct weir_prefetch *p); /* the planner has a look */
void prefetch_arrived_locked(struct weir_prefetch *p); /* so have those who wait */
void prefetch_break(struct weir_prefetch *p, const error *why);
void prefetch_say(struct weir_prefetch *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct note *note_of(struct slot *s); /* NULL: none */
struct note *note_make(struct slot *s);
void note_free(struct slot *s);

/* delivery_desk.c: what consumers ask for. `who` is a number of readers.h. */
status desk_join(struct weir_prefetch *p, const char *name, uint32_t rank, bool fresh,
                 uint32_t *who, error *err);
/* Gives out what is there; TIMEOUT: it is not, yet. `next`: seq is not looked at. */
weir_shard_state desk_try_locked(struct weir_prefetch *p, uint32_t who, bool next, uint64_t seq,
                                 weir_shard *out);
/* After each answer that is not TIMEOUT, END or CLOSED, and without the lock: puts down whose the
 * position is, in the mode queue. */
void desk_given(struct weir_prefetch *p, uint32_t who, weir_shard_state state,
                const weir_shard *shard);
/* The consumer waits for that from now on, or waits no more. */
void desk_wait_locked(struct weir_prefetch *p, uint32_t who, bool next, uint64_t seq);
void desk_waited_locked(struct weir_prefetch *p, uint32_t who, uint64_t since, bool stalled);
status desk_release(struct weir_prefetch *p, uint32_t who, uint64_t seq, error *err);
status desk_commit(struct weir_prefetch *p, uint32_t who, uint64_t seq, error *err);
status desk_forget(struct weir_prefetch *p, const char *name, error *err);
void desk_come_and_go(struct weir_prefetch *p, uint32_t who, int by);
uint64_t desk_next_deadline_locked(struct weir_prefetch *p); /* of who is gone, TIME_NEVER = none */
void desk_forget_gone(struct weir_prefetch *p, uint64_t now);

/* planner.c */
void *planner_main(void *arg);

/* shard_fetch.c */
status shard_fetch_start(struct weir_prefetch *p, uint64_t index, bool urgent, error *err);
/* Fetches once more what was not good; it keeps its room. */
void shard_fetch_again(struct shard_fetch *f);
void shard_fetch_free(struct shard_fetch *f);
/* Removes whatever a fetch has left: the file, or the part. Nobody may be writing it. */
void shard_fetch_remove(struct weir_prefetch *p, uint64_t index);
void fetch_name(char out[64], uint64_t index); /* beneath the cache */

/* finisher.c */
void *finisher_main(void *arg);
/* A shard that cannot be had: decides, puts down, tells. */
void finisher_refuse(struct weir_prefetch *p, uint64_t index, const error *why, bool content);
/* Moves a staged file to its name. NAME: something else stands there. */
status finisher_name(struct weir_prefetch *p, uint64_t index, const char *name, error *err);

/* line_face.c */
status line_face_open(struct line_face **out, struct weir_prefetch *p, error *err);
status line_face_listen(struct line_face *face, const char *path, error *err);
/* One consumer, over a pair of descriptors. */
status line_face_pipes(struct line_face *face, int in, int out, const char *name, uint32_t rank,
                       error *err);
/* Runs until the prefetcher stops or, with pipes, their consumer has done; see _speak. */
status line_face_run(struct line_face *face, error *err);
void line_face_close(struct line_face *face); /* takes NULL */

/* cache_state.c: the log and the folder. */
status cache_state_open(struct weir_prefetch *p, error *err);
void cache_state_close(struct weir_prefetch *p);
/* With state_lock held, until what was put down has been applied to the window. */
status cache_state_have(struct weir_prefetch *p, uint64_t index, int64_t bytes, int64_t mtime_ns,
                        const char *digest, error *err);
status cache_state_bad(struct weir_prefetch *p, uint64_t index, const error *why, error *err);
/* With state_lock held: what a consumer has come to; or, mode queue, whose one position is. */
status cache_state_consumer(struct weir_prefetch *p, const char *name, uint32_t rank, uint64_t base,
                            bool committed, uint64_t behind, bool sync, error *err);
status cache_state_left(struct weir_prefetch *p, const char *name, error *err);
status cache_state_given(struct weir_prefetch *p, uint64_t seq, const char *name, bool released,
                         error *err);
/* Takes state_lock. */
void cache_state_gone(struct weir_prefetch *p, uint64_t index);
/* Removes the oldest file of the quarantine; its bytes, 0 = there is none. */
int64_t cache_state_clear(struct weir_prefetch *p);

#endif
