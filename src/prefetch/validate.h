/* Validators: is a shard what it should be? A format is one function and one row in the registry of
 * validate.c. Finisher threads.
 */
#ifndef WEIR_PREFETCH_VALIDATE_H
#define WEIR_PREFETCH_VALIDATE_H

#include <stdatomic.h>

#include "core/status.h"

struct validate_rules {
    const char *how;           /* prefetch.validate: "auto", "none", or names with commas */
    const char *command;       /* for the shell, {} = the file; NULL = none */
    const _Atomic bool *leave; /* becomes true when nobody waits for the answer any more */
    int leave_fd;              /* ... and this readable */
};

/* OK, or why the file open at `fd` is bad: DECODE, RECORD, CHECKSUM (by the command); CANCELLED.
 * `path` is where the command finds it, `name` what it will be called. *again: the command has
 * asked for another try. */
status validate_file(const struct validate_rules *rules, int fd, const char *path, const char *name,
                     bool *again, error *err);

/* What a validator looks at. */
struct validate_input {
    int fd;
    int64_t size;
    const char *name;
    const _Atomic bool *leave;
};

/* One validator. */
struct validator {
    const char *name;
    const char *const *endings; /* of names that are of this format, NULL behind the last */
    status (*check)(const struct validate_input *in, error *err);
};
const struct validator *validator_at(size_t i);

status validate_parquet(const struct validate_input *in, error *err);
status validate_gzip(const struct validate_input *in, error *err);
status validate_zstd(const struct validate_input *in, error *err);
status validate_tar(const struct validate_input *in, error *err);
status validate_jsonl(const struct validate_input *in, error *err);
/* validate_command.c: OK, CHECKSUM (*again set where it asks for that), CANCELLED, DISK. */
status validate_by_command(const struct validate_rules *rules, const char *path, const char *name,
                           bool *again, error *err);

#endif
