/* Admission: from a candidate (a record, or a job that a program added) to a job with a name, or to
 * the outcome that it has already. Feeder thread.
 */
#ifndef WEIR_ENGINE_ADMISSION_H
#define WEIR_ENGINE_ADMISSION_H

#include "core/provenance.h"
#include "core/text.h"
#include "engine/outcome.h"
#include "engine/run.h"
#include "net/url.h"

struct candidate {
    struct span url, name, id;
    struct span mirrors; /* further URLs: URL NUL ... NUL */
    struct span digests; /* a list of checksum.h */
    struct span headers; /* "Name: value" NUL ... NUL */
    struct span method;  /* n == 0: the usual one */
    struct span body;    /* p NULL: none */
    struct span extra;
    bool sends;         /* the body goes up: */
    struct span upload; /* a file, n == 0: `source` gives it */
    size_t upload_root; /* see struct record */
    const weir_upload *source;
    int64_t size;
    uint64_t line;
    weir_save save;
    int16_t segments;
    const weir_callbacks *callbacks;
    void *user;
};

/* Scratch that is kept from one to the next. */
struct admission {
    struct weir_engine *engine;
    struct name_set *names;  /* NULL: names cannot meet, or nothing is saved */
    struct presence *before; /* the run; NULL: not known, or of no use without `names` */
    uint64_t next_index;
    bool incomplete;  /* a line or a list could not be read: not all names are known */
    bool from_list;   /* some record came of a list, and names what is saved */
    bool stdin_taken; /* an upload has it */
    bool journal_unreadable;
    struct url url;
    struct url mirror;
    struct strbuf mirrors; /* of the record: those that can be asked, normalised */
    struct strbuf method, list_name;
    struct provenance kept; /* of a file that may be replaced where it has changed */
    struct strbuf name, other, origin, made_by, base, text;
};

status admission_open(struct admission *a, struct weir_engine *engine, error *err);
void admission_close(struct admission *a);

/* Makes a job of the candidate. *verdict is WEIR_DONE when it is to be fetched, else what became of
 * it already (err says why when that is WEIR_FAILED). NULL: the run cannot go on, for want of
 * memory, or as the journal cannot be read (err says why). */
struct job *admit(struct admission *a, const struct candidate *c, weir_outcome *verdict,
                  error *err);

/* Claims a name (or a URL that is sent to) of this run for `by`, with a->names there. *duplicate:
 * it is `by`'s already; *taken: another's. */
status admission_claim(struct admission *a, const char *name, const char *by, bool *duplicate,
                       bool *taken, error *err);

/* admission_upload.c: the same where the body goes up. For admit. */
struct job *admit_upload(struct admission *a, const struct candidate *c, weir_outcome *verdict,
                         error *err);
/* For it: an absolute URL of an allowed scheme. */
status admission_read_url(struct admission *a, struct url *out, struct span text, error *err);
void admission_remember_origin(struct admission *a);

/* The job of a line that cannot be read, for the report. */
struct job *admit_unreadable(struct admission *a, struct span text, uint64_t line);

#endif
