/* weir: move many bodies from URLs to where they are wanted, as streams.
 *
 * This header is all that a program needs. Read it from top to bottom: it climbs from the ten-line
 * downloader to per-file callbacks.
 *
 * 1. The shortest program
 *
 *      weir_engine *engine = NULL;
 *      weir_error err;
 *      weir_summary summary;
 *      if (weir_engine_new(&engine, NULL, &err) == WEIR_OK &&
 *          weir_engine_add_source(engine, "urls.txt", NULL, &err) == WEIR_OK)
 *          weir_engine_run(engine, &summary, &err);
 *      weir_engine_free(engine);
 *
 *    It saves every URL of the list into the current directory, sixteen at a time, and holds no
 *    more than a few megabytes however long the list and however large the files are.
 *
 * 2. What happens to a URL
 *
 *    A *job* goes in (weir_job), a *result* comes out (weir_result). In between, the body streams
 *    through the job's callbacks and into its file. A file appears under its final name by rename,
 *    complete, and on_end is called after that rename has been made durable.
 *
 * 3. Threads
 *
 *    weir_engine_run starts the engine's threads and returns when all of them have ended.
 *    - on_begin, on_data, on_line, on_record and on_reset of one job run on one worker thread,
 * never two at a time.
 *    - on_end and the event callback run on the commit thread, one call at a time.
 *    - weir_engine_add, _cancel, _stats and _transfers may be called from any thread and from
 *      within callbacks. All other functions of an engine belong to the thread that made it, and
 *      must not be called while it runs.
 *    - A weir_config may be read by many threads at once, but changed by one.
 *
 * 4. Memory and ownership
 *
 *    Strings that go in are copied. Strings that come out in a struct are borrowed: they live until
 *    the callback returns. Every _free function takes NULL.
 *
 * 5. Errors
 *
 *    Functions that can fail return a weir_status and fill a weir_error of the caller's (which may
 *    be NULL). An output pointer is set only on success.
 */
#ifndef WEIR_H
#define WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0
#define WEIR_VERSION "0.1.0"

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

/* ---------------------------------------------------------------------------------------------
 * Status codes
 *
 * The grade says what may still be done: OK (go on), RETRY (the same request may work later),
 * FAILED (this URL has failed; others are unaffected), FATAL (the run cannot go on). The codes from
 * WEIR_DNS to WEIR_CANCELLED are the error classes that reports and summaries speak of.
 */
#define WEIR_STATUS_MAP(X)                                                                         \
    X(OK, "ok", OK, "success")                                                                     \
    X(AGAIN, "again", RETRY, "the queue is full; add the job later")                               \
    X(END, "end", OK, "no more records")                                                           \
    X(NOMEM, "nomem", FATAL, "out of memory")                                                      \
    X(USAGE, "usage", FATAL, "invalid argument")                                                   \
    X(CONFIG, "config", FATAL, "invalid configuration")                                            \
    X(DNS, "dns", RETRY, "the host name could not be resolved")                                    \
    X(CONNECT, "connect", RETRY, "the connection could not be made or was lost")                   \
    X(TLS, "tls", FAILED, "the TLS handshake or the certificate check failed")                     \
    X(TIMEOUT, "timeout", RETRY, "a time limit passed")                                            \
    X(STALLED, "stalled", RETRY, "the transfer stalled")                                           \
    X(HTTP, "http", FAILED, "the server answered with an error status")                            \
    X(RATE_LIMITED, "rate_limited", FAILED, "the server kept asking for fewer requests")           \
    X(TRUNCATED, "truncated", RETRY, "the body was shorter than announced")                        \
    X(CHECKSUM, "checksum", FAILED, "size or digest do not match")                                 \
    X(DECODE, "decode", FAILED, "the compressed body is damaged")                                  \
    X(RECORD, "record", FAILED, "a record could not be read")                                      \
    X(DISK, "disk", FATAL, "writing failed")                                                       \
    X(NAME, "name", FAILED, "the file name cannot be used")                                        \
    X(REDIRECT, "redirect", FAILED, "too many redirects or a redirect without a target")           \
    X(POLICY, "policy", FAILED, "the request is not allowed")                                      \
    X(INPUT, "input", FAILED, "a line of the list cannot be read")                                 \
    X(CANCELLED, "cancelled", FAILED, "the run was stopped")

typedef enum weir_status {
#define X(id, name, grade, text) WEIR_##id,
    WEIR_STATUS_MAP(X)
#undef X
        WEIR_STATUS_COUNT
} weir_status;

typedef enum weir_grade {
    WEIR_GRADE_OK,
    WEIR_GRADE_RETRY,
    WEIR_GRADE_FAILED,
    WEIR_GRADE_FATAL
} weir_grade;

typedef struct weir_error {
    weir_status status;
    int curl_code;     /* CURLcode, or 0 */
    int http_status;   /* status code of the response, or 0 */
    int sys_errno;     /* errno, or 0 */
    char message[512]; /* one line: what happened, to which thing, and what to do */
} weir_error;

/* The short name of a status ("http", "truncated"), as it stands in reports. Any thread. */
WEIR_API const char *weir_status_name(weir_status status);
/* One English clause for a status. Any thread. */
WEIR_API const char *weir_status_text(weir_status status);
WEIR_API weir_grade weir_status_grade(weir_status status);

/* The version of the library in use, "0.1.0". Compare with WEIR_VERSION. Any thread. */
WEIR_API const char *weir_version(void);
/* "name version" of the i-th library that libweir was built with or runs on, or NULL after the
 * last. */
WEIR_API const char *weir_version_library(size_t i);

/* ---------------------------------------------------------------------------------------------
 * Configuration
 *
 * Every option has an INI name, "section.key". Values are text with units, as in the INI file:
 * sizes 64k 20M 1G (powers of 1000) and 64Ki 20Mi 1Gi (of 1024), times 200ms 30s 5m 1h, rates
 * 50/s 600/m, booleans yes/no, lists by repeating the key.
 *
 * Levels: defaults, then files, then single settings. A higher level replaces a lower one. Within
 * one level a repeated key adds to a list option and replaces any other.
 */
typedef struct weir_config weir_config;

/* The option table itself, one row an option. */
typedef struct weir_option {
    const char *section;
    const char *key;
    const char *value;   /* default, as text; "" = unset */
    const char *type;    /* "count", "size", "time", "rate", "boolean", "text", "list", "choice" */
    const char *allowed; /* what a value may be, for people: "1..65536", "skip|overwrite|rename" */
    const char *flag;    /* long flag without dashes, or NULL when only -s sets it */
    const char *alias;   /* another long flag that means the same, or NULL */
    char letter;         /* short flag, or 0 */
    const char *arg; /* name of the argument in --help, "N", "BYTES/s"; NULL: the flag takes none */
    const char *flag_value; /* the value which a flag without argument sets ("no"), or NULL */
    bool per_host;          /* may stand in a [host "name"] section */
    const char *help;       /* one line */
    bool secret;            /* may hold a password or a token: hide it where options are shown */
} weir_option;

/* Row i of the option table, or NULL after the last. Any thread. */
WEIR_API const weir_option *weir_option_at(size_t i);

/* A configuration that holds the defaults. *out is the caller's to free. */
WEIR_API weir_status weir_config_new(weir_config **out, weir_error *err);
WEIR_API void weir_config_free(weir_config *config);

/* Reads an INI file as the level above the defaults. Unknown sections and keys, and bad values, are
 * WEIR_CONFIG, with file, line, key, value and what is allowed in the message. */
WEIR_API weir_status weir_config_load(weir_config *config, const char *path, weir_error *err);

/* Sets one option, "limits.rate" to "50/s", at the level of the command line. For one host or a
 * pattern of hosts: "host data.example.org limits.host_rate". */
WEIR_API weir_status weir_config_set(weir_config *config, const char *name, const char *value,
                                     weir_error *err);

/* The value in force as text, written so that _set would take it again (a list: item by item; they
 * are separated by newlines). Borrowed until the next call with the same config. NULL: no such
 * option. */
WEIR_API const char *weir_config_get(weir_config *config, const char *name);

/* Where the value in force came from: "default", "weir.ini:12", "command line". Borrowed likewise.
 */
WEIR_API const char *weir_config_origin(weir_config *config, const char *name);

/* The name or pattern of the i-th [host "..."] section in order of name, or NULL after the last.
 * With "host NAME section.key", _get and _origin tell what is in force for that host. Borrowed
 * likewise. */
WEIR_API const char *weir_config_host_at(weir_config *config, size_t i);

/* ---------------------------------------------------------------------------------------------
 * Jobs and results
 */
typedef struct weir_engine weir_engine;
typedef struct weir_file weir_file; /* a fetch, as callbacks see it */

typedef struct weir_header {
    const char *name;
    const char *value;
} weir_header;

/* What a callback wants to happen next. */
typedef enum weir_next {
    WEIR_NEXT = 0,      /* go on */
    WEIR_STOP_FILE = 1, /* end this file: it is reported as failed, class cancelled */
    WEIR_STOP_RUN = 2,  /* end the run, as weir_engine_cancel does */
    WEIR_ENOUGH = 3 /* this callback has all that it wants of this file: it is called no more, and
                       where nothing else needs the rest, the download ends here, as done. From
                       on_begin of a file that is saved: on_data is not called for it */
} weir_next;

/* What on_begin tells of a file. All strings are borrowed until on_begin returns. */
typedef struct weir_begin {
    const char *url;       /* as requested first */
    const char *final_url; /* after redirects */
    const char *path;      /* relative to save.dir, or NULL when nothing is saved */
    const char *id;        /* the job's id, or NULL */
    int http_status;       /* 200, or 206 when a transfer goes on where an earlier one stopped */
    int64_t size;          /* bytes of the whole body, -1 = unknown */
    int64_t offset;        /* bytes that an earlier run has already saved; on_data starts here */
    const weir_header *headers; /* of the final response, in order */
    size_t header_count;
} weir_begin;

typedef enum weir_outcome { WEIR_DONE, WEIR_SKIPPED, WEIR_FAILED } weir_outcome;

typedef struct weir_result {
    weir_outcome outcome;
    const char *url;
    const char *final_url;   /* NULL when no request was made */
    const char *path;        /* relative to save.dir, or NULL */
    const char *id;          /* or NULL */
    uint64_t index;          /* position among all records of the run, from 0 */
    uint64_t line;           /* line in its list, from 1; 0 = added by program */
    int http_status;         /* of the last response, 0 = none */
    int64_t bytes;           /* body bytes saved or delivered, those of earlier runs included */
    int64_t resumed_from;    /* bytes that an earlier run had already saved */
    const char *digest;      /* "sha256=HEX" by which the body was checked, or NULL */
    int attempts;            /* requests started, redirect hops not counted */
    int64_t duration_ms;     /* from the first request to the end */
    bool unchecked;          /* skipped because the name exists, without evidence of its origin */
    bool duplicate;          /* skipped because the same URL stands earlier in the list */
    uint64_t lines_in;       /* lines or records that a filter, a program or callbacks have seen */
    uint64_t lines_out;      /* those that were kept or put out */
    uint64_t bad_records;    /* part of lines_in: no JSON, or the program failed on them */
    uint64_t long_lines;     /* part of lines_in: skipped because longer than filter.max_line */
    const weir_error *error; /* status WEIR_OK unless outcome is WEIR_FAILED */
} weir_result;

/* A JSON record, as on_record sees it: one line of the body that is one JSON text (RFC 8259).
 * Borrowed until the callback returns, like everything that is handed out of it; for the worker
 * thread that called. */
typedef struct weir_record weir_record;

typedef enum weir_json_kind {
    WEIR_JSON_MISSING, /* there is nothing at this path */
    WEIR_JSON_NULL,
    WEIR_JSON_BOOLEAN,
    WEIR_JSON_NUMBER,
    WEIR_JSON_STRING,
    WEIR_JSON_ARRAY,
    WEIR_JSON_OBJECT
} weir_json_kind;

/* Callbacks of a file. Any may be NULL. `user` is the job's own, or the engine's. */
typedef struct weir_callbacks {
    /* Headers of a good response have arrived. No callback sees an error page or a redirect. Once a
     * file, and once more after each on_reset. */
    weir_next (*on_begin)(weir_file *file, const weir_begin *begin, void *user);
    /* The next bytes of the body, in order, each exactly once; decoded where http.decode says so.
     */
    weir_next (*on_data)(weir_file *file, const void *data, size_t size, void *user);
    /* One line of the body, or of what a filter keeps of it, without its newline; `number` counts
     * them from 1. A '\r' before the newline, NUL and bytes that are not UTF-8 are part of it. A
     * line of more than filter.max_line bytes is left out and counted in long_lines. */
    weir_next (*on_line)(weir_file *file, const char *line, size_t size, uint64_t number,
                         void *user);
    /* One JSON record: a line of the body, or of what a program makes of it. Empty lines are left
     * out; lines that are no JSON text are counted in bad_records (see jsonl.bad_records). */
    weir_next (*on_record)(weir_file *file, const weir_record *record, void *user);
    /* The body starts again at byte 0: forget what this file gave you. Without this callback a body
     * that breaks off and cannot be resumed is fetched again, checked against what was given, and
     * goes on behind it; one that has changed meanwhile fails with WEIR_CHECKSUM. The same holds
     * for on_line and on_record. */
    void (*on_reset)(weir_file *file, void *user);
    /* Exactly once for every job, whatever happened; after the file is durable. `file` is gone. */
    void (*on_end)(const weir_result *result, void *user);
} weir_callbacks;

/* The text of a record, as it stands in the body. Not ended by a NUL. */
WEIR_API const char *weir_record_text(const weir_record *record, size_t *size);
/* The number of its line, from 1. */
WEIR_API uint64_t weir_record_line(const weir_record *record);

/* Values of a record by path, written as in jq: ".", ".user.name", ".items[0].id", ".\"odd key\"",
 * ".items[-1]". Of equal keys the last one counts. A path that cannot be read is a missing value.
 */
WEIR_API weir_json_kind weir_record_kind(const weir_record *record, const char *path);
/* These answer false, and leave the rest alone, when there is no value of that kind. A string is
 * unescaped UTF-8, not ended by a NUL; an integer is a number without fraction that fits; a number
 * is the nearest double. */
WEIR_API bool weir_record_string(const weir_record *record, const char *path, const char **text,
                                 size_t *size);
WEIR_API bool weir_record_integer(const weir_record *record, const char *path, int64_t *out);
WEIR_API bool weir_record_number(const weir_record *record, const char *path, double *out);
WEIR_API bool weir_record_boolean(const weir_record *record, const char *path, bool *out);
/* The elements of an array or the fields of an object; 0 for anything else. */
WEIR_API size_t weir_record_count(const weir_record *record, const char *path);

typedef enum weir_save {
    WEIR_SAVE_AUTO = 0, /* to a file, unless there is an on_data, on_line or on_record callback */
    WEIR_SAVE_YES = 1,  /* what stages make of the body */
    WEIR_SAVE_NO = 2,
    WEIR_SAVE_BODY = 3 /* the body as it was sent, whatever stages make of it for callbacks or the
                          descriptor of weir_engine_write_to_fd (a tee) */
} weir_save;

/* A digest that vouches for a body. */
typedef struct weir_digest {
    const char *algorithm; /* "sha256", "sha512", "sha1", "md5" or "crc32c" */
    const char *hex;       /* hexadecimal digits of either case */
} weir_digest;

#define WEIR_SEGMENTS_AUTO (-1) /* as many as make it faster */

/* A body that is sent up instead of one that comes down. Zero-initialise, then set `path` or
 * `read`. It streams: no more of it is in memory than a buffer. */
typedef struct weir_upload {
    const char *path; /* a file, "-" for standard input, or a FIFO; NULL: `read` gives the bytes */
    /* Up to `capacity` bytes into data; *got 0 ends the body. Runs on the job's worker, whose other
     * transfers wait meanwhile: bytes that are long in coming are better given as a FIFO. A status
     * other than WEIR_OK ends the job with that class and the message of `err`. */
    weir_status (*read)(void *user, void *data, size_t capacity, size_t *got, weir_error *err);
    /* Back to byte 0, for another try or a redirect. NULL: it cannot, so that a request which
     * breaks off after the first byte was read is not tried again. */
    weir_status (*rewind)(void *user, weir_error *err);
    void *user;
    int64_t size; /* of what `read` gives; 0 or less = unknown, then it is sent in chunks */
} weir_upload;

/* What goes in. Zero-initialise, then set `url`; everything else may stay 0. Copied by
 * weir_engine_add, except `callbacks`, `user` and an `upload` with `read`, which must live until
 * on_end. */
typedef struct weir_job {
    const char *url;
    const char *name;           /* file name below save.dir; NULL: save.name makes it */
    const char *id;             /* comes back in the result and the report */
    int64_t size;               /* expected bytes; 0 or less = unknown */
    const char *const *mirrors; /* further URLs of the same file, the best first */
    size_t mirror_count;
    const weir_digest *digests; /* of the body as it is sent; the strongest one is checked, and
                                   nothing else gets the file's name */
    size_t digest_count;
    const char *method; /* NULL: GET, or POST where there is a body */
    const void *body;   /* of the request; sent again with every try */
    size_t body_size;
    const weir_header *headers; /* request headers, for the URL's own origin only */
    size_t header_count;
    weir_save save;
    int segments; /* ranges of it at once: 1 to 64, WEIR_SEGMENTS_AUTO, or 0: as save.segments says
                   */
    const weir_callbacks *callbacks; /* NULL: the engine's */
    void *user;                      /* for `callbacks` */
    const weir_upload *upload; /* NULL: a download. Else the body goes to `url` by put.method, or by
                                  `method`; where the path of the URL ends in '/', the name of the
                                  file is added. size and digests are of what is sent: a file that
                                  differs is not sent to its end. Nothing is saved */
} weir_job;

/* ---------------------------------------------------------------------------------------------
 * The engine
 */

/* An engine with the options of `config` (borrowed until the engine is freed; NULL: defaults). */
WEIR_API weir_status weir_engine_new(weir_engine **out, weir_config *config, weir_error *err);
WEIR_API void weir_engine_free(weir_engine *engine);

/* The default callbacks for every job that brings none. The struct is copied. */
WEIR_API void weir_engine_set_callbacks(weir_engine *engine, const weir_callbacks *callbacks,
                                        void *user);

/* Adds one job. Before the run, jobs are kept until it starts. During the run, from within a
 * callback: never blocks; WEIR_AGAIN when the queue is full. From another thread: blocks while the
 * queue is full. WEIR_INPUT: not a URL. WEIR_CANCELLED: the run is being stopped. WEIR_USAGE: it
 * has ended. A job for which this answered WEIR_OK gets its on_end, whatever happens. */
WEIR_API weir_status weir_engine_add(weir_engine *engine, const weir_job *job, weir_error *err);

/* Adds a list: a path, "-" for standard input, or an http(s) URL. `format` is "urls",
 * "tsv", "csv", "jsonl", "sums", "aria2", "metalink" or "pattern"; NULL: told by content. The list
 * is opened here and read while the run goes on. .gz and .zst lists are decompressed. */
WEIR_API weir_status weir_engine_add_source(weir_engine *engine, const char *list,
                                            const char *format, weir_error *err);

/* ---------------------------------------------------------------------------------------------
 * Uploads: the same engine, limits, retries and reports; see weir_upload. In results `path` is the
 * file that was sent, `bytes` what was sent of it.
 */

/* Records of lists are uploads: `name` is a file, `url` where it goes. A record without a name is
 * the name of a file itself, and goes to input.base_url. Before the run. */
WEIR_API void weir_engine_set_upload(weir_engine *engine, bool upload);
/* Adds every file beneath the directory `dir`, hidden ones too, each for `url`/RELATIVE/PATH. Read
 * while the run goes on, however many there are. Partial files (.part) are left out, so are links
 * that lead out of `dir`, links to folders, and what is no file; a warning tells how many. */
WEIR_API weir_status weir_engine_add_tree(weir_engine *engine, const char *dir, const char *url,
                                          weir_error *err);

/* Whether files are checked that are there already. */
typedef enum weir_verify {
    WEIR_VERIFY_OFF = 0,
    WEIR_VERIFY_ONLY = 1, /* nothing is fetched: what is missing, or has not the size and the digest
                             of the list, has failed with WEIR_CHECKSUM; what the list says nothing
                             of is skipped as unchecked */
    WEIR_VERIFY_REPAIR = 2 /* ... and is fetched */
} weir_verify;

/* Files are read by the workers: set run.workers to the number of processors. Before the run. */
WEIR_API void weir_engine_set_verify(weir_engine *engine, weir_verify verify);

/* Keeps the run open after all lists have ended, until weir_engine_finish: for programs that add
 * jobs from other threads. */
WEIR_API void weir_engine_keep_open(weir_engine *engine);
WEIR_API void weir_engine_finish(weir_engine *engine);

/* Sends the bodies to a file descriptor instead of files, whole and in list order; with a filter or
 * a program, their lines: whole ones, as they come from many files at once, unless
 * weir_engine_set_in_order says otherwise. The descriptor stays the caller's. `what` names it in
 * messages ("standard output"). */
WEIR_API void weir_engine_write_to_fd(weir_engine *engine, int fd, const char *what);
/* The same into one file, which has its name only when the run has ended by itself: until then it
 * is "PATH.part". DISK or NAME when it cannot be made. */
WEIR_API weir_status weir_engine_write_to_file(weir_engine *engine, const char *path,
                                               weir_error *err);
/* One file after the other, in list order, where lines of many would come as they arrive. */
WEIR_API void weir_engine_set_in_order(weir_engine *engine, bool in_order);
/* What jobs with WEIR_SAVE_AUTO do, those of lists included. */
WEIR_API void weir_engine_set_save(weir_engine *engine, weir_save save);

/* ---------------------------------------------------------------------------------------------
 * Filters: keep lines, shape records
 *
 * Both see the body decoded (http.decode) and come before the callbacks and the file. A dropped
 * connection neither repeats nor loses a line.
 */
typedef struct weir_pattern {
    const char *text;
    size_t size;        /* bytes of text; 0: up to its NUL */
    bool literal;       /* bytes as they are; false: a PCRE2 expression on bytes */
    const char *origin; /* for messages: "-e", "patterns.txt:12"; or NULL */
} weir_pattern;

/* Zero-initialise, then set the patterns; the rest may stay 0. */
typedef struct weir_filter {
    const weir_pattern *patterns; /* a line is kept when any of them matches */
    size_t pattern_count;         /* 0: no line matches */
    bool ignore_case;             /* ASCII letters */
    bool invert;                  /* keep the lines that do not match */
    bool count;                   /* put out the number of kept lines of each file instead */
    bool line_number;             /* "N:" before each line, "N-" before lines of context */
    bool only_matching;           /* each match on a line of its own, empty ones left out */
    bool with_url;                /* URL and TAB before each line */
    uint64_t max_count;           /* stop a file after so many kept lines; 0 = never */
    uint64_t before, after;       /* lines of context; "--" stands between groups */
} weir_filter;

/* Keeps the matching lines of every file. Before the run; copies all. WEIR_USAGE: a pattern is bad;
 * the message shows where. */
WEIR_API weir_status weir_engine_filter(weir_engine *engine, const weir_filter *filter,
                                        weir_error *err);

/* Runs a jq program on every record (line) of every file. `raw`: strings are put out as their text.
 * Before the run. WEIR_USAGE: it cannot be compiled, or reads other records (input, inputs). */
WEIR_API weir_status weir_engine_jsonl(weir_engine *engine, const char *program, bool raw,
                                       weir_error *err);
/* URL and TAB before each of its outputs, as weir_filter.with_url has it. Before the run. */
WEIR_API void weir_engine_set_with_url(weir_engine *engine, bool with_url);

/* "hyperscan", "pcre2", "simdjson", "jq": what the filter or the program runs on; NULL: there is
 * none. */
WEIR_API const char *weir_engine_matcher(const weir_engine *engine);

/* Name and one line of help of the i-th built-in stage, or NULL after the last. Any thread. */
WEIR_API const char *weir_stage_name_at(size_t i, const char **help);

/* Reads the lists and assigns names, but sends no request and saves nothing: every job ends as
 * WEIR_SKIPPED with its path, in the report too where one is asked for. */
WEIR_API void weir_engine_set_dry_run(weir_engine *engine, bool dry_run);

typedef enum weir_event_kind {
    WEIR_EVENT_RETRY,   /* a request failed and will be tried again; error says why */
    WEIR_EVENT_HELD,    /* a host asked us to wait */
    WEIR_EVENT_END,     /* a job ended; result is set. Follows on_end */
    WEIR_EVENT_WARNING, /* something worth a line; text is set */
    WEIR_EVENT_REMOVED  /* save.delete: a file was removed, in a dry run: would be; text is its name
                         */
} weir_event_kind;

typedef struct weir_event {
    weir_event_kind kind;
    const char *url;           /* or NULL */
    const char *host;          /* WEIR_EVENT_HELD */
    int64_t wait_ms;           /* RETRY, HELD: time until the next try */
    int attempt;               /* RETRY: tries so far */
    const char *text;          /* WARNING, REMOVED */
    const weir_error *error;   /* RETRY, HELD */
    const weir_result *result; /* END */
} weir_event;

/* Calls `on_event` on the commit thread for what happens during the run. */
WEIR_API void weir_engine_on_event(weir_engine *engine,
                                   void (*on_event)(const weir_event *event, void *user),
                                   void *user);

typedef struct weir_stats {
    uint64_t found; /* records read so far */
    bool all_found; /* every list has been read to its end: `found` is the total */
    uint64_t done, skipped, failed, retried;
    uint64_t unchecked;  /* part of skipped: exists, origin unknown */
    uint64_t duplicates; /* part of skipped: same URL earlier in the list */
    uint64_t removed;    /* files that the lists no longer name (save.delete) */
    uint64_t lines_in, lines_out, bad_records, long_lines; /* of the files that have ended */
    int64_t bytes;       /* body bytes received in this run, and those that were sent */
    int64_t sent;        /* part of bytes: those of uploads, failed tries included */
    int64_t bytes_known; /* sizes of the files that have begun, less what earlier runs had */
    int in_flight;       /* transfers under way */
    int waiting;         /* jobs that wait for a retry or a held host */
    int64_t elapsed_ms;
} weir_stats;

/* A snapshot of the counters. Cheap; any thread. */
WEIR_API void weir_engine_stats(weir_engine *engine, weir_stats *out);

typedef struct weir_transfer_info {
    char name[128];      /* file name or URL, safe to print: no control characters, valid UTF-8 */
    int64_t bytes, size; /* size -1 = unknown */
    int64_t elapsed_ms;
    bool paused; /* by a limit or a slow reader */
} weir_transfer_info;

/* Fills at most `max` rows with the largest transfers in flight, largest first; returns how many.
 * Any thread; a few times a second at most. */
WEIR_API size_t weir_engine_transfers(weir_engine *engine, weir_transfer_info *out, size_t max);

typedef struct weir_summary {
    weir_stats stats;
    uint64_t failed_by_class[WEIR_STATUS_COUNT];
    weir_status stopped_by; /* WEIR_OK, WEIR_DISK, WEIR_CANCELLED (by weir_engine_cancel) or
                               WEIR_HTTP (run.max_failures reached) */
    bool per_host_bound;    /* limits.per_host kept transfer slots empty for most of the run */
    bool reader_gone;       /* the reader of weir_engine_write_to_fd closed the pipe */
    int64_t peak_rss_bytes; /* of the process */
} weir_summary;

/* Runs until every job has ended; an engine runs once. WEIR_OK: the run ended, whatever became of
 * single URLs (see the summary). Otherwise the run could not go on: WEIR_DISK, WEIR_NOMEM,
 * WEIR_CANCELLED. The summary is filled in every case. */
WEIR_API weir_status weir_engine_run(weir_engine *engine, weir_summary *out, weir_error *err);

/* Ends the run: transfers are cut, partial files kept for a resume, jobs that have not ended are
 * not reported as failed. Any thread; async-signal-safe it is not: call it from a signal thread. */
WEIR_API void weir_engine_cancel(weir_engine *engine);

/* The process exit code for a summary: 0, 1, 3, 4, as documented for the command; 130 when
 * cancelled; 141 when the reader went away. */
WEIR_API int weir_exit_code(const weir_summary *summary);

/* ---------------------------------------------------------------------------------------------
 * The journal: what became of each record
 *
 * A run with journal.path keeps it, and the next one goes on with it. Here it is read, also while a
 * run writes it: what it tells is the state of the moment at which it was opened. One thread at a
 * time.
 *
 * It is an SQLite database, with a file in shared memory (-shm) beside it: where a disk fails under
 * that file, the kernel sends SIGBUS (mmap(2)). The journal stands it like a power cut.
 */
typedef struct weir_journal weir_journal;

typedef struct weir_journal_totals {
    const char *directory; /* save.dir of its runs, "" = they saved nothing; borrowed */
    uint64_t done, failed;
    uint64_t replacing; /* an existing file was being replaced when the run was stopped */
    uint64_t failed_by_class[WEIR_STATUS_COUNT];
    int64_t bytes;   /* of the files that are done */
    int64_t last_ms; /* when the last record ended, since the epoch; 0 = none */
} weir_journal_totals;

/* Failures of one class, with one HTTP status, at one host. */
typedef struct weir_journal_failures {
    weir_status error_class;
    int http_status;  /* 0 = none */
    const char *host; /* with its port where the URL names one; borrowed until the next call */
    uint64_t count;
} weir_journal_failures;

/* Reads the whole file, to see that it is sound. WEIR_INPUT: there is none. WEIR_CONFIG: it is no
 * journal, of another format version, or damaged. */
WEIR_API weir_status weir_journal_open(weir_journal **out, const char *path, weir_error *err);
WEIR_API void weir_journal_close(weir_journal *journal);
WEIR_API weir_status weir_journal_count(weir_journal *journal, weir_journal_totals *out,
                                        weir_error *err);
/* The next group of failures, the largest first. WEIR_END: no more; then they begin anew. */
WEIR_API weir_status weir_journal_next_failures(weir_journal *journal, weir_journal_failures *out,
                                                weir_error *err);
/* Writes the failed records as a list, as report.failed does; "-" is standard output. Without one
 * no list is written, and one of an earlier run is removed. *count (or NULL) is how many.
 * WEIR_USAGE: a file of that name is no such list. */
WEIR_API weir_status weir_journal_export_failed(weir_journal *journal, const char *path,
                                                uint64_t *count, weir_error *err);
/* Totals and groups of failures as one JSON object; *out is the caller's to release with free(). */
WEIR_API weir_status weir_journal_json(weir_journal *journal, char **out, weir_error *err);

/* ---------------------------------------------------------------------------------------------
 * The server: the files of a directory for many clients, over HTTP
 *
 *      weir_server *server = NULL;
 *      if (weir_server_new(&server, config, "mirror", &err) == WEIR_OK &&
 *          weir_server_start(server, &err) == WEIR_OK)
 *          printf("%s\n", weir_server_url(server));
 *      ... until it shall end ...
 *      weir_server_drain(server, 10000);
 *      weir_server_free(server);
 *
 * GET and HEAD with ranges, conditions and compressed siblings, listings, and with serve.upload PUT
 * (RFC 9110). Everything is set by the options of section [serve]. Memory does not grow with the
 * size of files, only with the connections. Nothing outside the directory can be reached: no "..",
 * no symbolic link, in no way of writing it. The server has threads of its own.
 */
typedef struct weir_server weir_server;

/* A request that has ended. Strings are borrowed, and as the client has sent them: they may hold
 * anything but NUL. */
typedef struct weir_request {
    const char *client; /* numeric address */
    const char *method, *target, *protocol; /* "-" where the head could not be read */
    const char *range, *referer, *user_agent; /* NULL = not sent */
    int status;                               /* of the answer, 0 = there was none */
    int64_t bytes;    /* of the body that was sent; where it was cut, about what has arrived */
    int64_t received; /* of an uploaded body */
    int64_t duration_ms;
    bool aborted; /* the connection broke, the client left or was too slow */
} weir_request;

typedef struct weir_server_stats {
    uint64_t requests, under_way; /* so far; that have not ended */
    uint64_t failed, aborted;     /* of those that have ended: status 400 or more; cut */
    uint64_t uploads;             /* files that were put */
    uint64_t refused;             /* connections closed unheard: a client's limit, or draining */
    int64_t bytes_sent, bytes_received;
    uint32_t connections; /* open now */
} weir_server_stats;

/* A server of `dir` with the options of `config` (borrowed until it is freed, and not to be changed
 * until then; NULL: defaults). DISK: the directory cannot be opened. CONFIG: token, certificate or
 * key cannot be used, or weir was built without libmicrohttpd. */
WEIR_API weir_status weir_server_new(weir_server **out, weir_config *config, const char *dir,
                                     weir_error *err);
/* Calls `on_request` for each request that has ended, on any of the server's threads, many at once;
 * it shall not wait for anything. Before the start. */
WEIR_API void weir_server_on_request(weir_server *server,
                                     void (*on_request)(const weir_request *request, void *user),
                                     void *user);
/* Calls `on_warning` with one line of text for what whoever runs the server should know. Any of its
 * threads. Before the start. */
WEIR_API void weir_server_on_warning(weir_server *server,
                                     void (*on_warning)(const char *text, void *user), void *user);
/* Listens (serve.listen) and serves, until stopped; a server is started once. DISK: the address
 * cannot be had. CONFIG: it is none. */
WEIR_API weir_status weir_server_start(weir_server *server, weir_error *err);
/* "http://127.0.0.1:8750/", with the port that was bound. Borrowed; "" before the start. */
WEIR_API const char *weir_server_url(const weir_server *server);
WEIR_API uint16_t weir_server_port(const weir_server *server);
/* Any thread. */
WEIR_API void weir_server_get_stats(weir_server *server, weir_server_stats *out);
/* Takes no more connections, closes each after its answer, and waits until none is under way.
 * False: some are, after timeout_ms. Then stop. */
WEIR_API bool weir_server_drain(weir_server *server, int64_t timeout_ms);
/* Cuts what is under way; uploads that were whole get their names. */
WEIR_API void weir_server_stop(weir_server *server);
/* Stops, too. */
WEIR_API void weir_server_free(weir_server *server);

/* ---------------------------------------------------------------------------------------------
 * One small body, in memory
 *
 * GET of `url` into a fresh buffer of at most max_bytes (a larger body is WEIR_POLICY). *out is the
 * caller's to release with free(); it ends in a NUL that *size does not count. Blocks. Any thread.
 */
WEIR_API weir_status weir_get_memory(const char *url, size_t max_bytes, weir_config *config,
                                     char **out, size_t *size, weir_error *err);

#ifdef __cplusplus
}
#endif
#endif
