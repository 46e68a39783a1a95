/* Version and make-up of the library; see weir.h. Any thread. */
#include <stdio.h>
#include <xxhash.h>
#include <zlib.h>
#ifdef WEIR_HAVE_ISAL
#include <isa-l.h>
#endif
#ifdef WEIR_HAVE_ZSTD
#include <zstd.h>
#endif

#include "net/transfer.h"
#include "weir/weir.h"

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

const char *weir_version(void)
{
    return WEIR_VERSION;
}

const char *weir_version_library(size_t i)
{
    static const char *const built_with[] = {
        "inih",
        "zlib " ZLIB_VERSION,
        "xxhash " TEXT(XXH_VERSION_MAJOR) "." TEXT(XXH_VERSION_MINOR) "." TEXT(XXH_VERSION_RELEASE),
#ifdef WEIR_HAVE_ISAL
        "isa-l " TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(ISAL_PATCH_VERSION),
#endif
#ifdef WEIR_HAVE_ZSTD
        "zstd " ZSTD_VERSION_STRING,
#endif
    };
    size_t built = sizeof built_with / sizeof *built_with;
    size_t net = 0;
    while (net_library(net))
        net++;
    if (i < net)
        return net_library(i);
    return i - net < built ? built_with[i - net] : NULL;
}
