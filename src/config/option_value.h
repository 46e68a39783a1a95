/* Values of options: from text with checks, back to text, and their memory. One thread an owner.
 */
#ifndef WEIR_CONFIG_OPTION_VALUE_H
#define WEIR_CONFIG_OPTION_VALUE_H

#include "config/option_table.h"

/* Reads `text` as a value of the row and puts it into `o`: a list gets one item more (or several,
 * from
 * @FILE), and none from an empty text; everything else is replaced. On error `o` is as before, and
 * the message begins with the value, not with the option's name. */
status option_parse(struct options *o, size_t row, const char *text, error *err);

/* Frees what the member holds and zeroes it. */
void option_clear(struct options *o, size_t row);

/* Appends the value as option_parse takes it; items of a list with newlines between them. */
void option_format(struct strbuf *out, const struct options *o, size_t row);

/* Appends one item, or what "@FILE" lists, to http.header (header_list.c). */
status header_list_add(struct text_list *list, const char *text, error *err);
status text_list_add(struct text_list *list, const char *text, size_t n, error *err);
void text_list_clear(struct text_list *list);

#endif
