/* Shards as their validators see them: the first byte says by which, the rest is the file. The
 * verdict says what is wrong with it, and is the same a second time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prefetch/validate.h"
#include "fuzz_must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0;
    if (size < 1)
        return 0;
    while (validator_at(count))
        count++;
    const struct validator *v = validator_at(data[0] % count);
    _Atomic bool leave = false;
    int fd = memfd_create("shard", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
    struct validate_input in = {
        .fd = fd, .size = (int64_t)size - 1, .name = "shard", .leave = &leave};
    error err, again;
    error_clear(&err);
    error_clear(&again);
    status st = v->check(&in, &err);
    must(st == OK ||
         ((st == WEIR_DECODE || st == WEIR_RECORD || st == WEIR_NOMEM) && err.message[0]));
    must(v->check(&in, &again) == st && strcmp(err.message, again.message) == 0);
    close(fd);
    return 0;
}
