/* From the command line and the INI file to one configuration. Main thread.
 *
 * A file of the current folder is never read: whoever unpacks an archive somewhere must not get its
 * author's proxy.
 */
#include "cli/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The user's own INI file. False: there is none. */
static bool find_own_file(char *out, size_t cap)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;
    /* The XDG Base Directory Specification has relative paths ignored. */
    if (xdg && xdg[0] == '/')
        n = snprintf(out, cap, "%s/weir/weir.ini", xdg);
    else if (home && home[0] == '/')
        n = snprintf(out, cap, "%s/.config/weir/weir.ini", home);
    else
        return false;
    return n > 0 && (size_t)n < cap && access(out, F_OK) == 0;
}

static void name_setting(char *out, size_t cap, const struct setting *s)
{
    if (!s->option)
        snprintf(out, cap, "-s");
    else
        snprintf(out, cap, "--%s", s->option->flag);
}

static weir_status apply(weir_config *config, const struct arguments *a, char message[USAGE_MAX])
{
    weir_error err;
    for (size_t i = 0; i < a->setting_count; i++) {
        const struct setting *s = &a->settings[i];
        weir_status st = weir_config_set(config, s->name, s->value, &err);
        if (st) {
            char flag[80];
            name_setting(flag, sizeof flag, s);
            snprintf(message, USAGE_MAX, "%s: %s", flag, err.message);
            return st == WEIR_CONFIG ? WEIR_USAGE : st;
        }
    }
    return WEIR_OK;
}

weir_status settings_load(weir_config **out, const struct arguments *a, char message[USAGE_MAX])
{
    weir_config *config = NULL;
    weir_error err;
    char own[4096];
    weir_status st = weir_config_new(&config, &err);
    if (st)
        goto fail;
    const char *file = a->config_file;
    if (!file && !a->no_config && find_own_file(own, sizeof own))
        file = own;
    if (file)
        st = weir_config_load(config, file, &err);
    if (st)
        goto fail;
    st = apply(config, a, message);
    if (st) {
        weir_config_free(config);
        return st;
    }
    *out = config;
    return WEIR_OK;
fail:
    snprintf(message, USAGE_MAX, "%s", err.message);
    weir_config_free(config);
    return st;
}

/* "Name: value": is the value a credential? "@FILE" tells nothing but where they are. */
static bool header_is_secret(const char *header)
{
    static const char *const words[] = {"auth",   "cookie",   "token",     "key",
                                        "secret", "password", "signature", "session"};
    size_t name = header[0] == '@' ? 0 : strcspn(header, ":");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        for (size_t at = 0; at + n <= name; at++) {
            if (strncasecmp(header + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}

static bool option_may_be_secret(const char *key)
{
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        size_t n = strlen(o->section);
        if (strncmp(key, o->section, n) == 0 && key[n] == '.' && strcmp(key + n + 1, o->key) == 0)
            return o->secret;
    }
    return false;
}

bool setting_is_secret(const char *name, const char *value)
{
    /* "host data.example.org http.user" */
    const char *key = strrchr(name, ' ');
    key = key ? key + 1 : name;
    if (!value || !*value || !option_may_be_secret(key))
        return false;
    if (strcmp(key, "http.header") == 0)
        return header_is_secret(value);
    if (strcmp(key, "http.proxy") == 0)
        return strchr(value, '@') != NULL;
    return true;
}

int64_t setting_time_ms(const char *value)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    if (!value)
        return 0;
    char *end;
    double n = strtod(value, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0 && n > 0 && n < 1e9)
            return (int64_t)(n * units[i].ms);
    }
    return 0;
}
