/* Looking for a host in a netrc file; see netrc.h. Runs on the loop's thread, and only for requests
 * to other origins than the first URL's, with http.netrc on. libcurl reads the entry itself.
 */
#include "net/netrc.h"

#include <stdio.h>
#include <stdlib.h>

#define NETRC_WORD_MAX 255

static FILE *open_netrc(const char *path)
{
    char home[4096];
    if (strcmp(path, "yes") != 0)
        return fopen(path, "re");
    const char *folder = getenv("HOME");
    if (!folder || snprintf(home, sizeof home, "%s/.netrc", folder) >= (int)sizeof home)
        return NULL;
    return fopen(home, "re");
}

/* The password that follows "password" may be any word, so words are read in pairs. */
bool netrc_names_host(const char *path, struct span host)
{
    char word[NETRC_WORD_MAX + 1], value[NETRC_WORD_MAX + 1];
    bool found = false;
    FILE *f = open_netrc(path);
    if (!f)
        return false;
    while (!found && fscanf(f, "%255s", word) == 1) {
        if (word[0] == '#') {
            if (fscanf(f, "%*[^\n]") == EOF)
                break;
            continue;
        }
        if (strcmp(word, "default") == 0)
            continue;
        if (fscanf(f, "%255s", value) != 1)
            break;
        found = strcmp(word, "machine") == 0 && span_equal_nocase(host, value);
    }
    fclose(f);
    return found;
}
