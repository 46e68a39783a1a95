/* libcurl as a library of the process: start, stop, and what it is made of. Any thread: libcurl
 * counts its users itself, under a lock of its own (since 7.84), so that nothing is kept here.
 */
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "net/transfer.h"

#define NAMES_MAX 16
#define NAME_CAP 48

status net_start(error *err)
{
    /* libcurl starts without it too, and then the first digest or connection ends the process. */
    if (!OSSL_LIB_CTX_get0_global_default())
        return fail(err, WEIR_NOMEM, "OpenSSL cannot be started: out of memory");
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (code)
        return fail(err, WEIR_NOMEM, "libcurl cannot be started: %s", curl_easy_strerror(code));
    if (info->features & CURL_VERSION_SSL && info->features & CURL_VERSION_ASYNCHDNS)
        return OK;
    curl_global_cleanup();
    return fail(err, WEIR_CONFIG,
                "libcurl %s was built without TLS or without asynchronous "
                "resolving; both are needed",
                info->version);
}

void net_stop(void)
{
    curl_global_cleanup();
}

/* The i-th word of curl_version(), "libcurl/7.88.1 OpenSSL/3.0.22 zlib/1.2.13 ...", with what
 * stands in brackets left out. Each thread has a copy of its own, so that the words need no lock;
 * word i is always the same text at the same place. */
const char *net_library(size_t i)
{
    static _Thread_local char names[NAMES_MAX][NAME_CAP];
    const char *p = curl_version();
    size_t at = 0;
    while (*p) {
        size_t n = strcspn(p, " ");
        if (*p != '(' && n && at++ == i && i < NAMES_MAX) {
            snprintf(names[i], NAME_CAP, "%.*s", (int)n, p);
            return names[i];
        }
        p += n;
        while (*p == ' ')
            p++;
    }
    return NULL;
}
