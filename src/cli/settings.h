/* From the command line and the INI file to one configuration; what must not be shown of it.
 */
#ifndef WEIR_CLI_SETTINGS_H
#define WEIR_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/arguments.h"
#include "weir/weir.h"

/* Loads the INI file that the command line asks for, and sets what it sets. *out is the caller's.
 * On failure `message` says what to correct: USAGE on the command line, CONFIG in the file. */
weir_status settings_load(weir_config **out, const struct arguments *a, char message[USAGE_MAX]);

/* True when the value holds what nobody else should read: credentials, tokens, cookies. */
bool setting_is_secret(const char *name, const char *value);

/* A time as weir_config_get writes it ("200ms", "1.5s", "0"), in milliseconds; 0 when it is none.
 */
int64_t setting_time_ms(const char *value);

#endif
