/* Files of passwords: the first line is a host, the rest the file. A host that is found stands in
 * the file as a word of its own; written in capitals it is found as well.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/netrc.h"
#include "fuzz_must.h"

static bool stands_in(const char *file, size_t n, struct span host)
{
    for (size_t at = 0; at + host.n <= n; at++) {
        bool begins = at == 0 || isspace((unsigned char)file[at - 1]);
        bool ends = at + host.n == n || isspace((unsigned char)file[at + host.n]);
        if (begins && ends &&
            span_equal_nocase((struct span){file + at, host.n}, strndupa(host.p, host.n)))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    if (!end || end == text || memchr(text, '\0', size))
        return 0;
    struct span host = {text, (size_t)(end - text)};
    const char *file = end + 1;
    size_t n = size - host.n - 1;
    char path[64];
    int fd = memfd_create("netrc", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, file, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool found = netrc_names_host(path, host);
    must(!found || stands_in(file, n, host));
    char *capitals = malloc(host.n);
    for (size_t i = 0; i < host.n; i++)
        capitals[i] = (char)toupper((unsigned char)host.p[i]);
    must(netrc_names_host(path, (struct span){capitals, host.n}) == found);
    free(capitals);
    close(fd);
    return 0;
}
