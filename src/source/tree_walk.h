/* The files beneath a folder as a source of records: each file's path, and the URL that it makes
 * below another URL. Memory grows with the depth of the folders only, not with what is in them.
 * One thread at a time (the feeder).
 */
#ifndef WEIR_SOURCE_TREE_WALK_H
#define WEIR_SOURCE_TREE_WALK_H

#include "source/source.h"

/* A record is a path (name, its first `root` bytes are `dir`) and a URL below `url`. INPUT: `dir`
 * is no folder that can be read. */
status tree_open(struct source **out, const char *dir, const char *url, error *err);
/* What the walk has left out, as one sentence; false: nothing. */
bool tree_left_out(const struct source *s, struct strbuf *out);

#endif
