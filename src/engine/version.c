/* Version and make-up of the library; see weir.h. Any thread. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <openssl/opensslv.h>
#include <pcre2.h>
#include <xxhash.h>
#include <zlib.h>

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
        "pcre2 " TEXT(PCRE2_MAJOR) "." TEXT(PCRE2_MINOR),
        "zlib " ZLIB_VERSION,
        "xxhash " TEXT(XXH_VERSION_MAJOR) "." TEXT(XXH_VERSION_MINOR) "." TEXT(XXH_VERSION_RELEASE),
        "openssl " OPENSSL_VERSION_STR,
        "sqlite " WEIR_SQLITE_VERSION, /* what CMake found */
/* The versions of optional libraries are what CMake found. */
#ifdef WEIR_HAVE_ISAL
        "isa-l " WEIR_ISAL_VERSION,
#endif
#ifdef WEIR_HAVE_ZSTD
        "zstd " WEIR_ZSTD_VERSION,
#endif
#ifdef WEIR_HAVE_XZ
        "xz " WEIR_XZ_VERSION,
#endif
#ifdef WEIR_HAVE_BZIP2
        "bzip2 " WEIR_BZIP2_VERSION,
#endif
#ifdef WEIR_HAVE_BROTLI
        "brotli " WEIR_BROTLI_VERSION,
#endif
#ifdef WEIR_HAVE_HYPERSCAN
        "hyperscan " WEIR_HYPERSCAN_VERSION,
#endif
#ifdef WEIR_HAVE_SIMDJSON
        "simdjson " WEIR_SIMDJSON_VERSION,
#endif
#ifdef WEIR_HAVE_JQ
        "libjq", /* tells its version nowhere */
#endif
#ifdef WEIR_HAVE_METALINK
        "expat " WEIR_METALINK_VERSION,
#endif
#ifdef WEIR_HAVE_SERVE
        "libmicrohttpd " WEIR_SERVE_VERSION,
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
