/* A file that many fetches write into, whole lines each: `weir filter -o FILE`, and the file of bad
 * records. It is PATH.part, locked, until the run has ended by itself; then it gets its name.
 * The thread of weir_engine_run, but for the writing, which is the stream writer's.
 */
#ifndef WEIR_ENGINE_OUT_FILE_H
#define WEIR_ENGINE_OUT_FILE_H

#include "config/options.h"

struct out_file;

/* Makes or empties PATH.part. NAME: it is not ours, or another process holds it. DISK. */
status out_file_open(struct out_file **out, const char *path, error *err);
int out_file_fd(const struct out_file *f);
const char *out_file_name(const struct out_file *f);
/* Everything has been written: synced unless `durability` is none, then renamed. */
status out_file_publish(struct out_file *f, int durability, error *err);
/* What was not published stays as PATH.part. Takes NULL. */
void out_file_free(struct out_file *f);

#endif
