/* Prefetching: the next shards are already there.
 *
 * A training job reads a dataset that is larger than its disk. A prefetcher fetches the shards of a
 * list ahead of those who read them, keeps each until all are done with it, and then deletes it.
 *
 * 1. The shortest consumer
 *
 *      weir_prefetch *prefetch = NULL;
 *      weir_consumer *consumer = NULL;
 *      weir_shard shard;
 *      weir_error err;
 *      const char *list = "shards.txt";
 *      if (weir_prefetch_open(&prefetch, &list, 1, NULL, &err) == WEIR_OK &&
 *          weir_prefetch_join(prefetch, &consumer, "trainer", -1, &err) == WEIR_OK)
 *          while (weir_prefetch_next(consumer, -1, &shard) == WEIR_SHARD_READY) {
 *              puts(shard.path);
 *              weir_prefetch_release(consumer, shard.seq, &err);
 *          }
 *      weir_prefetch_close(prefetch);
 *
 *    The shards lie in save.dir, under the names that the list or save.name gives them. What to
 *    keep, and how much, say the options of the section [prefetch].
 *
 * 2. Positions
 *
 *    A position (`seq`) is the number of a shard in the list, from 0, or from prefetch.start. With
 *    prefetch.epochs they count on: of n shards, shard i has the positions i, n + i, 2n + i ...
 *
 * 3. Reading, releasing, committing
 *
 *    A consumer takes positions in order (weir_prefetch_next), or those that it names (_wait), and
 *    says of each when it needs the file no more (_release). With a checkpoint it says that all up
 *    to a position is done for good (_commit). A file is deleted when every consumer has released
 *    its position and it lies behind the commit of each that has ever committed, less
 *    prefetch.keep_behind.
 *
 *    A consumer has a name. It may end and come back under it, to this prefetcher or to the next
 *    one over the same folder: it then begins behind its last commit; without one, at the first
 *    position that it has not released.
 *
 * 4. Several consumers (prefetch.mode)
 *
 *    shared    each reads every shard
 *    strided   of n ranks (prefetch.consumers), rank r reads the positions with seq % n == r
 *    queue     each position goes to one of them, whoever asks first
 *
 *    Ranks go at their own pace: where the budget is tight, each has its next ones there, and what
 *    one still has to read makes room for another only when all who are there wait. The same holds
 *    in the other modes.
 *
 *    Nothing is deleted before as many have come as prefetch.consumers says. Who is gone holds what
 *    he has not released, until prefetch.consumer_timeout or weir_prefetch_forget.
 *
 * 5. Bad shards
 *
 *    A shard gets its name when size and digest of the list are right and the validators have
 *    found it good (prefetch.validate, _validate_command). Otherwise it is fetched again, from the
 *    next mirror where there is one; then prefetch.on_bad says what becomes of it, and all
 *    consumers, also those of later runs, hear the same: `skip` passes over it, `quarantine` too
 *    and keeps its bytes in .weir-prefetch/quarantine as long as the budget has room for them,
 *    `fail` answers WEIR_SHARD_FAILED (the next run tries again).
 *
 * 6. Threads
 *
 *    All functions may be called by any thread but _open and _close, which belong to one. Waiting
 *    takes no processor time. A consumer may be used by many threads, as one reader.
 *
 * 7. The line protocol, on the socket of weir_prefetch_listen
 *
 *    One line a request, one line an answer, in order; a connection may send several requests
 *    before it reads. Words are parted by one space; a PATH is the rest of its line. Numbers are
 *    decimal; MS is milliseconds, left out = wait as long as it takes.
 *
 *      HELLO NAME [RANK]    OK NEXT END MODE RANK RANKS   the consumer begins (see 3): its next
 *                                              position, and one behind the last of all; in modes
 *                                              other than strided RANK RANKS are 0 1
 *      AGAIN NAME [RANK]    the same           it goes on as it was: another connection, of a
 *                                              thread or a forked process, or one that was cut
 *      NEXT [MS]            READY SEQ SIZE DIGEST PATH     DIGEST is as in "sha256=HEX", or "-"
 *                           SKIPPED SEQ CLASS MESSAGE      counts as released
 *                           FAILED SEQ CLASS MESSAGE       likewise
 *                           TIMEOUT | END | CLOSED
 *      WAIT SEQ [MS]        the same
 *      RELEASE SEQ          OK
 *      COMMIT SEQ           OK                 after it is on disk
 *      HELD                 OK SEQ SEQ ...     what it was given and has not released
 *      FORGET NAME          OK
 *      STATUS               OK {JSON}
 *      BYE                  OK, and the connection is closed
 *
 *    What cannot be done is answered by ERROR CLASS MESSAGE. CLASS is a name of weir_status_name.
 *
 * 8. On standard output (weir_prefetch_speak, weir prefetch without --socket)
 *
 *    Out come "READY SEQ PATH", "SKIPPED SEQ CLASS MESSAGE", "FAILED SEQ CLASS MESSAGE", each as
 *    soon as it is so, in order; "END" when there is no more. In go "RELEASE SEQ" and "COMMIT SEQ".
 *    A line that cannot be heeded is answered by "ERROR CLASS MESSAGE".
 */
#ifndef WEIR_PREFETCH_H
#define WEIR_PREFETCH_H

#include <weir/weir.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_prefetch weir_prefetch;
typedef struct weir_consumer weir_consumer;

typedef enum weir_shard_state {
    WEIR_SHARD_READY,   /* path, size and digest are set */
    WEIR_SHARD_TIMEOUT, /* not yet */
    WEIR_SHARD_FAILED,  /* it cannot be had; error says why. Counts as released */
    WEIR_SHARD_SKIPPED, /* the same, and prefetch.on_bad says to go on */
    WEIR_SHARD_END,     /* there are no more positions for this consumer */
    WEIR_SHARD_CLOSED /* the prefetcher is being stopped; error says why where there is a reason */
} weir_shard_state;

typedef struct weir_shard {
    uint64_t seq;
    uint64_t index; /* its number in the list */
    uint64_t epoch; /* from 0 */
    int64_t size;
    char path[4096];  /* absolute */
    char digest[160]; /* "sha256=HEX" by which it was checked; "" = none */
    weir_error error; /* FAILED, SKIPPED, CLOSED; or the USAGE of a wrong call, as FAILED */
} weir_shard;

/* Reads the lists (paths, "-", URLs; any format), takes up what an earlier run has left in
 * save.dir, and begins to fetch. `config` (NULL: defaults) is borrowed until _close, and some of
 * its options are set to what this needs: of [save] on_exist, delete, preallocate, tree, min_free
 * and content_disposition, of [report] and [journal] all, and http.decode. INPUT: a list cannot be
 * read, or is not the one that this cache was begun with. CONFIG: an option is wrong, or another
 * prefetcher has the folder. DISK. */
WEIR_API weir_status weir_prefetch_open(weir_prefetch **out, const char *const *lists, size_t n,
                                        weir_config *config, weir_error *err);
/* Stops and frees; all calls of other threads must have returned (see _stop). Takes NULL. */
WEIR_API void weir_prefetch_close(weir_prefetch *prefetch);
/* Ends all waits with WEIR_SHARD_CLOSED, and _speak and _wait_done. Transfers are cut; what is
 * partly there is gone on with by the next run. Any thread. */
WEIR_API void weir_prefetch_stop(weir_prefetch *prefetch);

/* A consumer begins, or begins again. `rank` is for prefetch.mode = strided; -1: the first that is
 * free. *out lives until _close; the same name gives the same one. USAGE: the name or the rank
 * cannot be had. */
WEIR_API weir_status weir_prefetch_join(weir_prefetch *prefetch, weir_consumer **out,
                                        const char *name, int rank, weir_error *err);

/* The next position of this consumer. timeout_ms: -1 = as long as it takes, 0 = only look. */
WEIR_API weir_shard_state weir_prefetch_next(weir_consumer *consumer, int64_t timeout_ms,
                                             weir_shard *out);
/* A position that the consumer names; it goes before all others. In the mode queue only one that
 * it was given. */
WEIR_API weir_shard_state weir_prefetch_wait(weir_consumer *consumer, uint64_t seq,
                                             int64_t timeout_ms, weir_shard *out);
/* The file is needed no more. Also of a position that it never asked for. */
WEIR_API weir_status weir_prefetch_release(weir_consumer *consumer, uint64_t seq, weir_error *err);
/* All up to this position is done for good: it is never given to this consumer again. On disk when
 * this returns. It does not release: say that too. */
WEIR_API weir_status weir_prefetch_commit(weir_consumer *consumer, uint64_t seq, weir_error *err);
/* The consumer of that name holds nothing any more. USAGE: there is none. In the mode queue what it
 * had goes to others; in strided its rank may be taken by another, who goes on where it was. */
WEIR_API weir_status weir_prefetch_forget(weir_prefetch *prefetch, const char *name,
                                          weir_error *err);

/* Lets consumers come over a unix socket at `path`, on a thread of its own. A stale socket there is
 * replaced. Before any other thread uses the prefetcher. DISK: it cannot be made. */
WEIR_API weir_status weir_prefetch_listen(weir_prefetch *prefetch, const char *path,
                                          weir_error *err);
/* Serves one consumer over two descriptors (see 8) until it has released everything, or the input
 * ends, or _stop. WEIR_OK: all is done. WEIR_END: the other side has gone before. WEIR_CANCELLED:
 * by _stop. With prefetch.on_bad = fail, the failure of the first shard that cannot be had. */
WEIR_API weir_status weir_prefetch_speak(weir_prefetch *prefetch, int in, int out, const char *name,
                                         int rank, weir_error *err);
/* Waits until every consumer has released every position. Answers likewise. */
WEIR_API weir_status weir_prefetch_wait_done(weir_prefetch *prefetch, weir_error *err);

typedef struct weir_prefetch_stats {
    uint64_t shards;      /* positions in all, of all epochs */
    uint64_t ready;       /* files that are there */
    uint64_t downloading; /* on their way, those being validated included */
    uint64_t waiting;     /* consumers that wait for a shard now */
    uint64_t stalls;      /* times that one had to wait, its first shard not counted */
    int64_t stalled_ms;   /* ... and how long, in all */
    uint64_t delivered, released;
    uint64_t fetched, refetched, bad;
    int64_t disk_bytes; /* complete, partial and reserved */
    int64_t disk_peak_bytes;
    int64_t budget_bytes; /* 0 = none */
    int64_t received_bytes;
    uint64_t ahead;    /* shards kept ready now */
    uint64_t position; /* where the slowest consumer is */
    uint64_t consumers;
    int64_t elapsed_ms;
} weir_prefetch_stats;

WEIR_API void weir_prefetch_look(weir_prefetch *prefetch, weir_prefetch_stats *out);

/* Told in plain words: warnings (the disk gets low, a shard is bad, the budget is held), one line
 * each, and retries of transfers. Called on threads of the prefetcher, one call at a time; what was
 * said since _open comes at once, within this call. */
WEIR_API void weir_prefetch_on_event(weir_prefetch *prefetch,
                                     void (*on_event)(const weir_event *event, void *user),
                                     void *user);

#ifdef __cplusplus
}
#endif
#endif
