/* The rows of options.def at run time: what each option is, where it lies in struct options, and
 * how it is found by name. Any thread; all of it is constant.
 */
#ifndef WEIR_CONFIG_OPTION_TABLE_H
#define WEIR_CONFIG_OPTION_TABLE_H

#include "config/options.h"
#include "core/text.h"

enum option_type {
    TYPE_COUNT,
    TYPE_SIZE,
    TYPE_TIME,
    TYPE_RATE,
    TYPE_BANDWIDTH,
    TYPE_BOOL,
    TYPE_TEXT,
    TYPE_LIST,
    TYPE_CHOICE,
    TYPE_STATUSES,
    TYPE_FAILURES,
    TYPE_DECODED
};

/* Row numbers: ROW_http_header is the row of http.header. */
enum option_row {
#define OPTION(section, key, ...) ROW_##section##_##key,
#include "config/options.def"
#undef OPTION
    OPTION_ROWS
};

enum option_type option_type_of(size_t row);

/* The row's member in `o`. */
void *option_field(struct options *o, size_t row);
/* Makes the member of `to` the same as that of `from` without copying what pointers point to. */
void option_borrow(struct options *to, const struct options *from, size_t row);

/* The row named "section.key", or -1. */
int option_find(struct span name);
bool option_section_exists(struct span section);
/* Says of a name that does not exist what might have been meant: "; did you mean limits.rate?", or
 * which sections there are. */
void option_suggest(struct strbuf *out, struct span name);
void option_suggest_section(struct strbuf *out, struct span section);

#endif
