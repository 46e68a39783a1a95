/* The URL of a name below another URL: where a file goes that is sent up. Pure; any thread.
 */
#ifndef WEIR_NET_URL_NAME_H
#define WEIR_NET_URL_NAME_H

#include "core/text.h"

/* Appends `base` with `name` (its '/' part folders) behind the last '/' of its path, which is added
 * where it is missing. The name is percent-encoded, a query of the base stays behind it, a fragment
 * is dropped. */
void url_add_name(struct strbuf *out, struct span base, struct span name);
/* Does the path of `url` end in '/', or is there none, so that a name is wanted behind it? */
bool url_wants_name(struct span url);

#endif
