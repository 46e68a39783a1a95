/* What the target directory held when the run began.
 *
 * Most runs begin in a directory that is empty or nearly so. Having looked once, they need not look
 * for every file whether it, or a part of it, is there already: two system calls a file less. The
 * run's own files are told apart by the set of names; what another process makes meanwhile is met
 * by O_EXCL and by a rename that replaces nothing.
 */
#ifndef WEIR_ENGINE_PRESENCE_H
#define WEIR_ENGINE_PRESENCE_H

#include <stdbool.h>

struct presence;

/* Reads the directory; gives up where it has thousands of entries. NULL: nothing is known. */
struct presence *presence_read(int dirfd);
void presence_free(struct presence *p); /* takes NULL */

/* May `name`, or its first folder, or what a sink keeps beside it, have been there? With p NULL:
 * yes. */
bool presence_possible(const struct presence *p, const char *name);

#endif
