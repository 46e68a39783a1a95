/* The file of passwords that curl and ftp use. */
#ifndef WEIR_NET_NETRC_H
#define WEIR_NET_NETRC_H

#include <stdbool.h>

#include "core/text.h"

/* The file at `path` ("yes" = ~/.netrc) has an entry "machine HOST". Its "default" entry does not
 * count: it would hand a password to any host that a redirect leads to. */
bool netrc_names_host(const char *path, struct span host);

#endif
