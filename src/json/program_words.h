/* The words of a jq program that make no sense record by record: what reads other records (input),
 * writes to the terminal (debug, stderr), ends the process (halt) or reads files (import, include).
 * jq would compile them all; here a program is told before the first request.
 */
#ifndef WEIR_JSON_PROGRAM_WORDS_H
#define WEIR_JSON_PROGRAM_WORDS_H

#include "core/status.h"

/* USAGE: such a word stands in the code of the program; the message names it, where it is and why
 * it cannot be. Names of fields, keys, variables, strings and comments are not code; what a string
 * interpolates is. env and $ENV are allowed: they are how a shell hands a value to a program. */
status program_words_check(const char *program, error *err);

#endif
