/* Status and error: what a function answers, and what it says when it could not.
 *
 * The codes, grades and texts are the public X-macro of weir.h; this header gives them short names
 * for use inside. An error is filled by `fail` where the trouble is first seen, and handed up as it
 * is. A NULL error is allowed everywhere.
 */
#ifndef WEIR_CORE_STATUS_H
#define WEIR_CORE_STATUS_H

#include "weir/weir.h"

typedef weir_status status;
typedef weir_error error;

#define OK WEIR_OK

/* Fills *err with `st` and the formatted message and returns `st`, so that `return fail(...)`
 * works. */
status fail(error *err, status st, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same, and keeps `sys_errno`; its text is appended to the message after ": ". */
status fail_errno(error *err, status st, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void error_clear(error *err);

/* The analyzer looks into one file at a time, and cannot know that these never answer OK. */
#ifdef __clang_analyzer__
#define fail(...) (fail(__VA_ARGS__), WEIR_USAGE)
#define fail_errno(...) (fail_errno(__VA_ARGS__), WEIR_USAGE)
#endif

#endif
