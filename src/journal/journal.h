/* The journal: what has become of each record of a list, in one SQLite file that outlives the run.
 *
 * Started again with the same list, or a longer one, a run finds here what it need not fetch again.
 * A record is known by its URL and the name that its list gives it. What is not in the file has not
 * been done: there are no rows for what waits, and none for what is in flight (a body that was cut
 * goes on from its .part), but the intent to replace a name that exists is put down before that is
 * done.
 *
 * The file is in WAL mode and written with synchronous=FULL: what journal_commit has acknowledged
 * survives a power cut. It has one writer at a time, over all processes, and any number of readers.
 * It holds URLs as they were given, so its mode is 0600.
 *
 * Threads: journal_find belongs to one thread (the feeder), journal_put and journal_commit to one
 * other (the commit thread), at the same time; the rest is for when neither runs.
 */
#ifndef WEIR_JOURNAL_JOURNAL_H
#define WEIR_JOURNAL_JOURNAL_H

#include "core/provenance.h"
#include "core/status.h"
#include "core/text.h"

enum journal_state {
    JOURNAL_REPLACING, /* a name that exists is about to be replaced by this; perhaps it was */
    JOURNAL_DONE,
    JOURNAL_FAILED,
    JOURNAL_REMOVED /* its file was taken away by us: as if it had never been */
};

/* A record. What is put is borrowed until the call returns; what is found, until the next call of
 * journal_find (or journal_reader_next); nothing of it is to be freed. */
struct journal_entry {
    const char *url;  /* of its list */
    const char *name; /* which its list gives; "" = none */
    enum journal_state state;
    const char *path;   /* final name below the directory; NULL = none */
    const char *digest; /* of the body, "sha256=HEX"; NULL = none */
    /* Of the response. Its url NULL = the record's; `written`, `synced` and `boot_id` are not kept:
     * they belong to a part. */
    struct provenance origin;
    int64_t bytes;       /* of the file */
    uint32_t attempts;   /* requests of that run */
    status failed_as;    /* JOURNAL_FAILED: the class */
    int http_status;     /* of the last response, 0 = none */
    int64_t ended_ms;    /* since the epoch */
    int64_t duration_ms; /* from the first request to the end */
    /* What the list says, so that a failed record can be written as a list again. */
    uint64_t line;
    const char *id;      /* NULL = none */
    int64_t wanted_size; /* -1 = none */
    struct span mirrors; /* these three as in source/source.h; n == 0: none */
    struct span digests;
    struct span extra;
};

void journal_entry_init(struct journal_entry *e); /* done, no texts, sizes -1 and 0 */

struct journal;

/* Makes the file, or goes on with it. `dir` is the absolute real path of save.dir, "" where nothing
 * is saved: the journal is of this directory for ever. CONFIG, and the file is as it was: it is no
 * journal, of another format version or another directory, damaged, or another run is writing it.
 * DISK: it cannot be opened or made. */
status journal_open(struct journal **out, const char *path, const char *dir, error *err);

/* What earlier runs knew of a record; END: nothing. Of what this run has put it may tell or not.
 * CONFIG, DISK: the file cannot be read, and the run cannot go on. */
status journal_find(struct journal *j, const char *url, const char *name, struct journal_entry *out,
                    error *err);

/* Adds to what the next commit makes durable, and replaces what is known of the record. */
status journal_put(struct journal *j, const struct journal_entry *e, error *err);
/* What has been put is durable when this returns OK; a group of some hundred costs little more than
 * one. After any other answer of _put or _commit, nothing of the group may be acknowledged, and
 * every further call answers the same: DISK (full), NOMEM, CONFIG (damaged). */
status journal_commit(struct journal *j, error *err);

/* Forgets what has been put and not committed. Takes NULL. */
void journal_close(struct journal *j);

/* ---- reading a journal as a whole; also while a run writes it ---- */

struct journal_reader;

struct journal_totals {
    uint64_t done, failed, replacing;
    int64_t bytes; /* of the files that are done */
    uint64_t failed_by_class[WEIR_STATUS_COUNT];
    int64_t last_ms; /* when the last record ended; 0 = none */
};

/* Failures of one class and HTTP status at one host. */
struct journal_group {
    status failed_as;
    int http_status;
    const char *host; /* with its port where the URL has one; borrowed until the next call */
    uint64_t count;
};

/* What it tells is the state of this moment. Reads all of the file, to see that it is sound.
 * CONFIG: it is no journal, of another format version, or damaged. INPUT: there is no such file.
 */
status journal_reader_open(struct journal_reader **out, const char *path, error *err);
const char *journal_reader_directory(const struct journal_reader *r);
status journal_reader_totals(struct journal_reader *r, struct journal_totals *out, error *err);
/* The next of the groups, the largest first; END: no more. */
status journal_reader_next_group(struct journal_reader *r, struct journal_group *out, error *err);
/* The next record of that state, in the order in which they ended; END: no more. One state at a
 * time: another one begins anew. */
status journal_reader_next(struct journal_reader *r, enum journal_state state,
                           struct journal_entry *out, error *err);
void journal_reader_close(struct journal_reader *r); /* takes NULL */

#endif
