/* Filling errors, and the tables of the public status codes; see status.h. Any thread: nothing is
 * shared but const tables.
 *
 * A message may quote what a server or a list sent, and it ends on terminals and in reports. So
 * `fail` is the one gate where control characters are taken out, and a text that is cut to fit is
 * cut between characters.
 */
#include "core/status.h"

#undef fail
#undef fail_errno

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

struct status_row {
    const char *name;
    const char *text;
    weir_grade grade;
};

static const struct status_row rows[] = {
#define X(id, name, grade, text) {name, text, WEIR_GRADE_##grade},
    WEIR_STATUS_MAP(X)
#undef X
};

static const struct status_row unknown_row = {"unknown", "unknown status", WEIR_GRADE_FATAL};

static const struct status_row *row_of(weir_status st)
{
    return (unsigned)st < WEIR_STATUS_COUNT ? &rows[st] : &unknown_row;
}

const char *weir_status_name(weir_status st)
{
    return row_of(st)->name;
}

const char *weir_status_text(weir_status st)
{
    return row_of(st)->text;
}

weir_grade weir_status_grade(weir_status st)
{
    return row_of(st)->grade;
}

/* C0, DEL and the UTF-8 forms of C1 become '?'; bytes that are no UTF-8 too, but for the end of a
 * sequence that the buffer cut, which goes. */
static void make_one_safe_line(char *text, bool cut)
{
    size_t n = strlen(text), i = 0;
    while (i < n) {
        size_t length = utf8_length(text + i, n - i);
        if (!length && cut && n - i < 4) {
            text[i] = '\0';
            return;
        }
        unsigned char c = (unsigned char)text[i];
        bool c1 = length == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (!length || c < 0x20 || c == 0x7f)
            text[i] = '?';
        if (c1)
            text[i] = text[i + 1] = '?';
        i += length ? length : 1;
    }
}

/* The message is built beside *err: its arguments may point into err->message. */
static status fill(error *err, status st, int sys_errno, const char *format, va_list args)
{
    char message[sizeof err->message] = "";
    int n = vsnprintf(message, sizeof message, format, args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (sys_errno && used + 2 < sizeof message) {
        char text[128];
        int more = snprintf(message + used, sizeof message - used, ": %s",
                            strerror_r(sys_errno, text, sizeof text));
        used += more < 0 ? 0 : (size_t)more;
    }
    make_one_safe_line(message, used >= sizeof message);
    error_clear(err);
    err->status = st;
    err->sys_errno = sys_errno;
    memcpy(err->message, message, strlen(message) + 1);
    return st;
}

status fail(error *err, status st, const char *format, ...)
{
    if (!err)
        return st;
    va_list args;
    va_start(args, format);
    fill(err, st, 0, format, args);
    va_end(args);
    return st;
}

status fail_errno(error *err, status st, int sys_errno, const char *format, ...)
{
    if (!err)
        return st;
    va_list args;
    va_start(args, format);
    fill(err, st, sys_errno, format, args);
    va_end(args);
    return st;
}

void error_clear(error *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}
