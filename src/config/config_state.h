/* What a weir_config holds: a scope for the run and one for each [host "..."] section, each with
 * its values and, for each value, the level and place that it came from.
 *
 *   weir_config -- run     { own, settings[] }            every option
 *               \- hosts[] { own, settings[], resolved }  by pattern; only what the section sets
 *
 * Values of a scope own their memory. `resolved` owns nothing: it is the run's values with those of
 * the matching sections on top, rebuilt after each change, so that looking a host up only reads.
 * Changed by one thread while no other reads; read by any number.
 */
#ifndef WEIR_CONFIG_CONFIG_STATE_H
#define WEIR_CONFIG_CONFIG_STATE_H

#include "config/option_table.h"

/* A higher level replaces a lower one. */
enum level { LEVEL_NONE, LEVEL_DEFAULT, LEVEL_FILE, LEVEL_COMMAND };

struct setting {
    enum level level;
    char *origin; /* "weir.ini:12"; NULL = the level says it all */
};

struct scope {
    char *pattern; /* lower case; NULL for the run */
    struct options own;
    struct options resolved; /* hosts only; borrows */
    struct setting settings[OPTION_ROWS];
};

struct weir_config {
    struct scope run;
    struct scope **hosts; /* sorted by pattern */
    size_t host_count;
    struct strbuf shown; /* what weir_config_get returned last */
};

/* Where a setting stands. */
struct place {
    enum level level;
    const char *file; /* NULL for the command line */
    unsigned line;
};

/* Fills *err with "FILE:LINE: " and the message. */
status place_fail(error *err, const struct place *place, status st, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Sets option "section.key" of a scope. */
status scope_set(struct scope *scope, struct span name, const char *value,
                 const struct place *place, error *err);
void scope_clear(struct scope *scope);

/* ---- host_scope.c ---- */

/* The scope of a pattern ("data.example.org", "*.example.org"), made when missing. */
status host_scope_get(struct weir_config *config, struct span pattern, struct scope **out,
                      const struct place *place, error *err);
/* The most specific scope that matches the host and, unless `row` is negative, sets that row; NULL
 * when there is none. */
struct scope *host_scope_match(const struct weir_config *config, const char *host, int row);
/* To be called after each change. */
void host_scopes_resolve(struct weir_config *config);

/* ---- ini_file.c ---- */

status ini_file_load(struct weir_config *config, const char *path, error *err);

#endif
