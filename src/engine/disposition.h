/* Names that servers give (Content-Disposition, RFC 6266), where save.content_disposition asks for
 * them.
 */
#ifndef WEIR_ENGINE_DISPOSITION_H
#define WEIR_ENGINE_DISPOSITION_H

#include "core/text.h"
#include "engine/fetch.h"

/* The file name in a Content-Disposition value, without folders: filename* (RFC 8187, UTF-8 only)
 * before filename. False when there is none. Pure. */
bool disposition_filename(struct strbuf *out, const char *value);

/* Gives the fetch, whose body has not begun, the name that the answer carries: the sink is opened
 * anew under it. Where that name is taken, it gets the URL's hash; *skip when this very file is
 * there already. Nothing changes where the answer carries no name. Worker thread. */
status disposition_apply(struct fetch *f, const char *value, bool *skip, error *err);

#endif
