/* Lines of a list, pulled from a reader through one buffer that does not grow.
 *
 * What every line format shares: line numbers, LF and CRLF, a last line without newline, a byte
 * order mark, lines that are too long or hold control characters. One thread at a time.
 */
#ifndef WEIR_SOURCE_LINE_READER_H
#define WEIR_SOURCE_LINE_READER_H

#include "core/reader.h"
#include "core/status.h"
#include "core/text.h"

#define LINE_MAX_BYTES 65536
#define LINE_HEAD_BYTES 512 /* what is shown of a line that cannot be read */

struct line_reader;

/* Takes `in`, also when it fails. `list` names it in messages, copied. */
status line_reader_open(struct line_reader **out, struct reader *in, const char *list, error *err);
void line_reader_close(struct line_reader *l); /* takes NULL */

/* OK: *line is the next line without its ending, borrowed until the next call. END: no more.
 * INPUT with *too_long: the line is too long, *line is its beginning; go on. Anything else (INPUT
 * from the reader among it) ends the list, and comes again when asked again. */
status line_reader_next(struct line_reader *l, struct span *line, bool *too_long, error *err);
/* The same, past lines that are blank or a comment. */
status line_reader_next_said(struct line_reader *l, struct span *line, bool *too_long, error *err);

uint64_t line_reader_number(const struct line_reader *l); /* of the line last handed out, from 1 */
const char *line_reader_list(const struct line_reader *l);

/* INPUT, with list, line number and column, when `text` (a part of `line`) holds a control
 * character other than those of `allowed`. */
status line_check_controls(const struct line_reader *l, struct span text, struct span line,
                           const char *allowed, error *err);

/* What a reader said, with the name of the list before it unless it stands there already. */
status fail_list(error *err, status st, const char *list, const error *cause);

/* Blank, or a comment: its first character that is no blank is '#'. */
bool line_is_skipped(struct span line);

/* An option as in the input files of aria2: blanks, a name in lower case, '=' and whatever follows.
 * A URL does not look like one, were it not relative. */
bool line_is_option(struct span line);

/* The first line of `head` that is not skipped; false when there is none. *whole: its newline is
 * there too. */
bool line_first(struct span head, struct span *line, bool *whole);

#endif
