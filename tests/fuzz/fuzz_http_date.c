/* Dates of headers. What passes for the form that is to be sent says, written by the C library, the
 * same again but for its weekday; and the reader of all forms reads it alike.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/http_date.h"
#include "net/transfer.h"
#include "fuzz_must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its exact size */
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    int64_t seconds, any = http_date(text);
    if (imf_fixdate(text, &seconds)) {
        char again[64];
        struct tm tm;
        time_t t = (time_t)seconds;
        must(gmtime_r(&t, &tm) != NULL);
        size_t n = strftime(again, sizeof again, "%a, %d %b ", &tm);
        n += (size_t)snprintf(again + n, sizeof again - n, "%04d", tm.tm_year + 1900);
        strftime(again + n, sizeof again - n, " %H:%M:%S GMT", &tm);
        bool leap = strstr(text, ":60 ") != NULL; /* a leap second is the next one to all others */
        must(leap || strcasecmp(text + 3, again + 3) == 0);
        must(any == seconds);
    }
    free(text);
    return 0;
}
