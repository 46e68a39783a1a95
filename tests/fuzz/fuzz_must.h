/* What a fuzz target claims of every input: says which claim does not hold, and crashes. */
#ifndef WEIR_FUZZ_MUST_H
#define WEIR_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(claim) ((claim) ? (void)0 : must_fail(__FILE__, __LINE__, #claim))

static inline _Noreturn void must_fail(const char *file, int line, const char *claim)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}

#endif
