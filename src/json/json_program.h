/* jq programs over single records.
 *
 * A program is compiled once, before the first request; what simdjson can do alone (`.`,
 * select(PATH OP LITERAL ...), paths, object construction) is planned for it, everything else runs
 * on libjq; and any record that the fast path finds unusual is handed to libjq, so that there is
 * one language and one result. A record is one JSON text on one line. Numbers are IEEE doubles as
 * in jq 1.6. An output that is the record itself passes byte for byte.
 *
 * A program is immutable: any thread. A runner (parser, jq state) belongs to one thread.
 */
#ifndef WEIR_JSON_JSON_PROGRAM_H
#define WEIR_JSON_JSON_PROGRAM_H

#include "core/status.h"
#include "core/text.h"

struct json_program;

/* USAGE: not a program (jq's own message is in it), or one that uses input, inputs or another thing
 * that makes no sense record by record. `raw`: strings are put out as their text (--raw). */
status json_program_compile(struct json_program **out, const char *text, bool raw, error *err);
/* The same, made to run on libjq alone: for tests that hold both ways together. */
status json_program_compile_jq(struct json_program **out, const char *text, bool raw, error *err);
void json_program_free(struct json_program *p); /* takes NULL */
/* How it runs: "simdjson", "jq", for -v. */
const char *json_program_engine(const struct json_program *p);

/* Where outputs go; each call is one output without its newline, borrowed until it returns. */
struct json_out {
    status (*put)(void *ctx, struct span output, error *err);
    void *ctx;
};

struct json_runner;

status json_runner_open(struct json_runner **out, const struct json_program *p, error *err);
void json_runner_close(struct json_runner *r); /* takes NULL */

/* Runs the program on one record. `readable` bytes may be read from record.p (at least record.n;
 * with 64 more nothing has to be copied). *bad: the record is no JSON text, or the program fails on
 * it; then *err says why with status RECORD, what it had put out before stands, and the function
 * still returns OK. Other statuses come from `put`. */
status json_runner_run(struct json_runner *r, struct span record, size_t readable,
                       const struct json_out *out, bool *bad, error *err);

/* The same for a block of whole lines, as a line splitter hands them on: more than twice as fast,
 * because the block is looked at in one go. Each line ends in '\n', only the very last may lack it.
 * The block is borrowed until json_runner_next has said JSON_STEP_END, or is begun anew. */
void json_runner_begin(struct json_runner *r, struct span block, size_t readable);

enum json_step {
    JSON_STEP_END,   /* no line is left */
    JSON_STEP_BLANK, /* a line of nothing but blanks: not run, no record */
    JSON_STEP_DONE,  /* a record: the program has run on it */
    JSON_STEP_BAD    /* a bad record; *err says why, as above */
};

/* Takes the next line of the block. *line is without its newline. Other statuses than OK come from
 * `put`; the line counts as taken. */
status json_runner_next(struct json_runner *r, const struct json_out *out, enum json_step *step,
                        struct span *line, error *err);

#endif
