/* Numbers with units: text to number, and number to the shortest text that reads back as the same.
 * The parsers that other rooms use are in options.h. Any thread.
 */
#ifndef WEIR_CONFIG_UNITS_H
#define WEIR_CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

/* A count: "4096", or with a unit of size, "10M". */
status parse_count(const char *text, int64_t *count, error *err);
/* A percentage without its sign, "2.5", of at most 100. */
bool parse_percent(struct span text, double *percent);

void format_count(struct strbuf *out, int64_t count);
void format_percent(struct strbuf *out, double percent);
void format_size(struct strbuf *out, int64_t bytes);
void format_time(struct strbuf *out, int64_t ns);
void format_rate(struct strbuf *out, double per_second);            /* 0 = unset: nothing */
void format_bandwidth(struct strbuf *out, double bytes_per_second); /* likewise */

/* Appends the value in quotes for a message: printable, cut when long. */
void quote_value(struct strbuf *out, const char *text);

#endif
