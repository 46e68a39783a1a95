/* Configuration files. What a file sets is read back, set again one by one in a fresh
 * configuration, and has to come out the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/options.h"
#include "core/text.h"
#include "fuzz_must.h"

/* One option, item by item where it is a list. `value` is borrowed and cut up. */
static void set_again(weir_config *config, const char *name, char *value, bool is_list)
{
    error err;
    do {
        char *end = is_list ? strchr(value, '\n') : NULL;
        if (end)
            *end = '\0';
        must(weir_config_set(config, name, value, &err) == OK);
        value = end ? end + 1 : NULL;
    } while (value);
}

static void compare(weir_config *config)
{
    const weir_option *option;
    weir_config *again = NULL;
    error err;
    must(weir_config_new(&again, &err) == OK);
    for (size_t i = 0; (option = weir_option_at(i)); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s", option->section, option->key);
        char *value = strdup(weir_config_get(config, name)), *cut = strdup(value);
        must(weir_config_origin(config, name) != NULL);
        set_again(again, name, cut, strcmp(option->type, "list") == 0);
        must(strcmp(weir_config_get(again, name), value) == 0);
        free(value);
        free(cut);
    }
    const char *host;
    for (size_t i = 0; (host = weir_config_host_at(config, i)); i++) {
        struct strbuf name = {0};
        must(config_for_host(config, host) != NULL);
        strbuf_addf(&name, "host %s retry.retries", host);
        must(weir_config_get(config, strbuf_text(&name)) != NULL);
        strbuf_free(&name);
    }
    weir_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    weir_config *config = NULL;
    error err;
    int fd = memfd_create("weir.ini", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(weir_config_new(&config, &err) == OK);
    error_clear(&err);
    if (weir_config_load(config, path, &err) == OK)
        compare(config);
    else
        must(err.message[0] && err.status == WEIR_CONFIG);
    weir_config_free(config);
    close(fd);
    return 0;
}
