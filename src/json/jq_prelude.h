/* Definitions that stand before a program on libjq, for what libjq 1.6 does to the whole process.
 */
#ifndef WEIR_JSON_JQ_PRELUDE_H
#define WEIR_JSON_JQ_PRELUDE_H

#include "core/text.h"

/* Appends those that `program` may need, without a newline. false: none. */
bool jq_prelude_add(struct strbuf *out, const char *program);

#endif
