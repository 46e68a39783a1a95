/* The screen: standard error, shared by messages and the progress display.
 *
 * Any thread. Messages are printed above the rows of the display, which then stand below as before.
 */
#ifndef WEIR_CLI_SCREEN_H
#define WEIR_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/bar_layout.h"

enum { SCREEN_ROWS_MAX = 8, SCREEN_ROW_BYTES = 1600, SCREEN_COLUMNS_MAX = 300 };

/* Rows to be shown, top to bottom. */
struct frame {
    char rows[SCREEN_ROWS_MAX][SCREEN_ROW_BYTES];
    size_t n;
};

enum tone { TONE_PLAIN, TONE_NOTE, TONE_WARNING, TONE_ERROR };

struct screen;

/* NULL when memory ran out. The descriptor stays the caller's. */
struct screen *screen_new(int fd);
void screen_free(struct screen *s); /* takes NULL; removes the rows */

bool screen_is_terminal(const struct screen *s);
/* True where rows can be redrawn: a terminal that is not a dumb one. */
bool screen_can_redraw(const struct screen *s);
/* Columns and lines as they are now. */
void screen_size(const struct screen *s, int *columns, int *lines);
struct bar_look screen_look(const struct screen *s);

/* Shows the rows of `f` in place of those shown before, in one write. Does nothing when they are
 * the same, when the terminal cannot take them now, or while the program is in the background. */
void screen_show(struct screen *s, const struct frame *f);
/* The terminal has been used by somebody else: the rows shown before are left where they are. */
void screen_forget(struct screen *s);

/* Prints one line above the rows: "weir: error: ..." and so on, made printable. */
void screen_say(struct screen *s, enum tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a thread that must not wait: gives up after a moment. */
void screen_notice(struct screen *s, enum tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
