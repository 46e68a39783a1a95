/* The options as a struct: one member a row of options.def, named section_key.
 *
 * options.def is the one place where an option is written down. From its rows come this struct, the
 * INI loader, the flags, --help, `weir config`, the bounds checks and config/weir.ini.
 */
#ifndef WEIR_CONFIG_OPTIONS_H
#define WEIR_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct text_list {
    char **items;
    size_t n;
};

/* run.max_failures: "100" or "5%". Both 0 = off. */
struct failure_limit {
    int64_t count;
    double percent;
};

/* http.max_decoded_size: "1G" or "100x". Both 0 = no limit, when `set`. */
struct decoded_limit {
    int64_t bytes;
    int64_t ratio;
    bool set;
};

/* A set of HTTP status codes 0..639. */
struct status_set {
    uint64_t bits[10];
};

static inline bool status_set_has(const struct status_set *s, int code)
{
    return code >= 0 && code < 640 && (s->bits[code / 64] >> (code % 64) & 1);
}

/* Choices, in the order of their text in options.def. */
enum on_exist { ON_EXIST_SKIP, ON_EXIST_OVERWRITE, ON_EXIST_RENAME, ON_EXIST_UPDATE };
enum durability { DURABILITY_BATCH, DURABILITY_FILE, DURABILITY_NONE };
enum http_version { HTTP_VERSION_1_0, HTTP_VERSION_1_1, HTTP_VERSION_2 }; /* 1.0|1.1|2 */
enum put_expect { PUT_EXPECT_AUTO, PUT_EXPECT_YES, PUT_EXPECT_NO };       /* auto|yes|no */
enum put_on_exist { PUT_ON_EXIST_OVERWRITE, PUT_ON_EXIST_SKIP };          /* overwrite|skip */
enum preallocate { PREALLOCATE_AUTO, PREALLOCATE_NO };                    /* auto|no */

enum log_format { LOG_FORMAT_COMBINED, LOG_FORMAT_JSON }; /* combined|json */

#define COUNT_AUTO 0 /* of a COUNT that may be "auto" */

/* C types of the option types:
 *   COUNT int64_t | SIZE int64_t, bytes | TIME int64_t, nanoseconds | RATE double, a second |
 *   BANDWIDTH double, bytes a second, 0 = unlimited ("10M" and "10M/s" are the same) |
 *   BOOL bool | TEXT char *, NULL = unset | LIST struct text_list | CHOICE int | STATUSES struct
 *   status_set | FAILURES struct failure_limit | DECODED struct decoded_limit */
#define OPTION_CTYPE_COUNT int64_t
#define OPTION_CTYPE_SIZE int64_t
#define OPTION_CTYPE_TIME int64_t
#define OPTION_CTYPE_RATE double
#define OPTION_CTYPE_BANDWIDTH double
#define OPTION_CTYPE_BOOL bool
#define OPTION_CTYPE_TEXT char *
#define OPTION_CTYPE_LIST struct text_list
#define OPTION_CTYPE_CHOICE int
#define OPTION_CTYPE_STATUSES struct status_set
#define OPTION_CTYPE_FAILURES struct failure_limit
#define OPTION_CTYPE_DECODED struct decoded_limit

struct options {
#define OPTION(section, key, type, ...) OPTION_CTYPE_##type section##_##key;
#include "config/options.def"
#undef OPTION
};

/* The resolved options of a config; they live as long as it does and do not change while an engine
 * runs. */
const struct options *config_options(weir_config *config);

/* The options for one host: those of the run, with the keys of every matching [host "..."] section
 * on top, the longest match last. `host` is a name without port, any case. Any thread, once the
 * config no longer changes. Never NULL. */
const struct options *config_for_host(weir_config *config, const char *host);

/* Value parsers, also for other rooms: text with units to a number. CONFIG with what is allowed. */
status parse_size(const char *text, int64_t *bytes, error *err);
status parse_time(const char *text, int64_t *ns, error *err);
status parse_rate(const char *text, double *per_second, error *err);
status parse_bandwidth(const char *text, double *bytes_per_second, error *err);

#endif
