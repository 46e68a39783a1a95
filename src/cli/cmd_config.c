/* weir config: every option, its value, where that came from, and what it is for. Main thread.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/display_text.h"
#include "cli/settings.h"

enum { VALUE_COLUMNS = 27, ORIGIN_COLUMNS = 14, ITEM_BYTES = 4096 };

static void print_padded(const char *s, int columns)
{
    int pad = columns - text_columns(s);
    printf("%s%*s", s, pad > 0 ? pad : 0, "");
}

/* Copies the next line of a list value into `out`, made printable, or hidden. Returns what follows,
 * NULL at the end. */
static const char *next_item(char out[ITEM_BYTES], const char *name, const char *value)
{
    char item[ITEM_BYTES / 4];
    size_t n = strcspn(value, "\n");
    snprintf(item, sizeof item, "%.*s", (int)n, value);
    struct text t = text_in(out, ITEM_BYTES);
    if (!setting_is_secret(name, item))
        text_add_printable(&t, item);
    else if (strstr(name, "http.header"))
        text_addf(&t, "%.*s: (hidden)", (int)strcspn(item, ":"), item);
    else
        text_add(&t, "(hidden)");
    return value[n] ? value + n + 1 : NULL;
}

/* One option; with `host`, in its section. */
static void print_row(weir_config *config, const weir_option *o, const char *host, int name_columns)
{
    char name[512], item[ITEM_BYTES], origin[512];
    if (host)
        snprintf(name, sizeof name, "host %s %s.%s", host, o->section, o->key);
    else
        snprintf(name, sizeof name, "%s.%s", o->section, o->key);
    const char *from = weir_config_origin(config, name);
    struct text t = text_in(origin, sizeof origin);
    text_add_printable(&t, from ? from : "");
    const char *value = weir_config_get(config, name);
    const char *rest = next_item(item, name, value ? value : "");
    print_padded(name, name_columns);
    printf("  ");
    print_padded(*item ? item : "(unset)", VALUE_COLUMNS);
    printf("  ");
    print_padded(origin, ORIGIN_COLUMNS);
    printf("  %s\n", o->help);
    while (rest) {
        rest = next_item(item, name, rest);
        printf("%*s  %s\n", name_columns, "", item);
    }
}

static bool differs_for_host(weir_config *config, const weir_option *o, const char *host)
{
    char name[512], run_value[ITEM_BYTES];
    snprintf(name, sizeof name, "%s.%s", o->section, o->key);
    const char *value = weir_config_get(config, name);
    snprintf(run_value, sizeof run_value, "%s", value ? value : "");
    snprintf(name, sizeof name, "host %s %s.%s", host, o->section, o->key);
    value = weir_config_get(config, name);
    return value && strcmp(value, run_value) != 0;
}

static void print_table(weir_config *config)
{
    int name_columns = 0;
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        int columns = (int)(strlen(o->section) + 1 + strlen(o->key));
        name_columns = columns > name_columns ? columns : name_columns;
    }
    for (size_t i = 0; weir_option_at(i); i++)
        print_row(config, weir_option_at(i), NULL, name_columns);
    for (size_t h = 0; weir_config_host_at(config, h); h++) {
        char host[300];
        snprintf(host, sizeof host, "%s", weir_config_host_at(config, h));
        for (size_t i = 0; weir_option_at(i); i++) {
            const weir_option *o = weir_option_at(i);
            if (o->per_host && differs_for_host(config, o, host))
                print_row(config, o, host, name_columns);
        }
    }
}

/* `shown` is the key as the section has it. */
static void print_ini_value(weir_config *config, const char *name, const char *shown)
{
    char item[ITEM_BYTES];
    const char *value = weir_config_get(config, name);
    if (!value || !*value) {
        printf(";%s =\n", shown);
        return;
    }
    while (value) {
        const char *line = value;
        size_t n = strcspn(line, "\n");
        value = next_item(item, name, line);
        bool hidden = strlen(item) != n || strncmp(item, line, n) != 0;
        printf("%s%s = %s\n", hidden ? ";" : "", shown, item);
    }
}

static void print_ini(weir_config *config)
{
    const char *section = "";
    char name[512];
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        if (strcmp(section, o->section) != 0)
            printf("%s[%s]\n", i ? "\n" : "", section = o->section);
        snprintf(name, sizeof name, "%s.%s", o->section, o->key);
        printf("; %s\n", o->help);
        print_ini_value(config, name, o->key);
    }
    for (size_t h = 0; weir_config_host_at(config, h); h++) {
        char host[300];
        snprintf(host, sizeof host, "%s", weir_config_host_at(config, h));
        printf("\n[host \"%s\"]\n", host);
        for (size_t i = 0; weir_option_at(i); i++) {
            const weir_option *o = weir_option_at(i);
            if (!o->per_host || !differs_for_host(config, o, host))
                continue;
            snprintf(name, sizeof name, "host %s %s.%s", host, o->section, o->key);
            print_ini_value(config, name, strrchr(name, ' ') + 1);
        }
    }
}

int cmd_config(const struct arguments *a)
{
    char message[USAGE_MAX];
    weir_config *config = NULL;
    weir_status st = settings_load(&config, a, message);
    if (st)
        return status_error(a->command, st, message);
    if (a->ini)
        print_ini(config);
    else
        print_table(config);
    weir_config_free(config);
    return EXIT_ALL_WELL;
}
