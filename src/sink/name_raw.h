/* Raw names: what the template hands to the sanitiser. Private to this room.
 *
 * A raw name is bytes in which '/' separates folders and NAME_QUOTE says that the byte after it
 * belongs to the name, whatever it is, and is to be escaped.
 */
#ifndef WEIR_SINK_NAME_RAW_H
#define WEIR_SINK_NAME_RAW_H

#include "core/status.h"
#include "core/text.h"

#define NAME_QUOTE '\0'

/* Appends the sanitised name. NAME with the raw name and the reason. */
status name_from_raw(struct strbuf *out, struct span raw, error *err);

#endif
