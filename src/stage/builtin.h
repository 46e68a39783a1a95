/* The stages that weir itself brings, and what they are told.
 *
 *   stage_decode   DECODE     compression undone, found by content
 *   stage_data     DECODE     on_data callbacks; passes everything on
 *   stage_data     DECODE     on_data callbacks, behind stage_decode; passes everything on
 *   stage_filter   TRANSFORM  lines that match
 *   stage_jsonl    TRANSFORM  records through a jq program
 *   stage_lines    TAP        on_line callbacks; passes everything on
 *   stage_records  TAP        on_record callbacks; passes everything on
 *
 * A setup belongs to the run and is const while it runs; tools belong to a worker; a context
 * belongs to one file. Stages reach their context by chain_context(stage).
 */
#ifndef WEIR_STAGE_BUILTIN_H
#define WEIR_STAGE_BUILTIN_H

#include "json/json_program.h"
#include "json/json_record.h"
#include "match/pattern_set.h"
#include "stage/line_output.h"
#include "weir/stage.h"

/* Of the run. */
struct stage_setup {
    /* filter */
    const struct pattern_set *patterns; /* NULL: no filter */
    weir_filter filter;                 /* its patterns are in `patterns`; the rest counts */
    /* jsonl */
    const struct json_program *program; /* NULL: no program */
    enum { BAD_SKIP, BAD_FAIL, BAD_FILE } bad_records;
    /* both, and the callbacks */
    size_t max_line; /* bytes */
    /* Takes a bad record with its newline, for a file of them; any worker's thread. */
    status (*bad_record)(void *ctx, struct span record, error *err);
    void *bad_ctx;
};

/* Of a worker; opened at first use by stage_tools_*. */
struct stage_tools {
    const struct stage_setup *setup;
    struct scanner *scanner;
    struct json_runner *runner;
    struct weir_record *record;
    /* What a stage gathers before it emits; empty between two writes, so that all files of the
     * worker can share it. One a stage, since one may stand behind the other. */
    struct gather filtered, shaped;
};

/* What the stages of one file have counted. chain_reset sets it back to zeros. */
struct stage_counts {
    uint64_t lines_in;    /* lines, or records, that came: bad and too long ones included */
    uint64_t lines_out;   /* lines or records put out (context lines not counted) */
    uint64_t bad_records; /* no JSON, or the program failed on them */
    uint64_t long_lines;  /* skipped because longer than max_line */
    error first_bad;      /* why the first bad record was bad, with its line; status OK: none */
};

/* What to do about compression. */
struct decode_plan {
    const char *as;               /* "auto", or the name of a decoder; never NULL or "none" */
    const char *content_encoding; /* header of the answer, or NULL; set before the first byte, and
                                     again after a reset */
    const char *path;             /* path of the URL, for what cannot be told by content (.br) */
    uint64_t max_bytes;           /* decoded bytes, 0 = no limit */
    uint64_t max_ratio;           /* times the bytes of the wire, 0 = no limit */
};

/* Of one file. */
struct stage_context {
    const struct stage_setup *setup;
    struct stage_tools *tools;
    const char *url; /* for --with-url; without user and password */
    struct decode_plan decode;
    struct stage_counts counts;
    weir_file *file;
    const weir_callbacks *callbacks; /* never NULL */
    void *user;
    weir_next wish; /* what the last callback answered, where that was not WEIR_NEXT: the stage then
                       returned CANCELLED. After WEIR_ENOUGH it goes on passing bytes. */
};

extern const weir_stage_type stage_decode, stage_data, stage_filter, stage_jsonl, stage_lines,
    stage_records;
/* Row i of the registry of built-in stages, NULL after the last: for --help and --version. */
const weir_stage_type *builtin_stage_at(size_t i);

/* The worker's own; NOMEM and the like. */
status stage_tools_scanner(struct stage_tools *t, struct scanner **out, error *err);
status stage_tools_runner(struct stage_tools *t, struct json_runner **out, error *err);
status stage_tools_record(struct stage_tools *t, struct weir_record **out, error *err);
void stage_tools_close(struct stage_tools *t);

#endif
