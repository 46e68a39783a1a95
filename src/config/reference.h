/* config/weir.ini, made from the option table. Any thread. */
#ifndef WEIR_CONFIG_REFERENCE_H
#define WEIR_CONFIG_REFERENCE_H

#include "core/text.h"

/* Appends the text of the reference INI: every option with its default, commented out by a ';' that
 * no space follows. */
void config_write_reference(struct strbuf *out);

#endif
