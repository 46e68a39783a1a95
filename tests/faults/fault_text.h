/* A text that grows, for heads, logs and small bodies. A test server may end when memory is out.
 */
#ifndef FAULT_TEXT_H
#define FAULT_TEXT_H

#include <stddef.h>

struct text {
    char *data; /* ends in NUL when not NULL */
    size_t size, room;
};

void text_clear(struct text *t); /* keeps the memory */
void text_free(struct text *t);
void text_add(struct text *t, const void *data, size_t size);
void text_print(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As a JSON string, quotes included; bytes beyond ASCII as Latin-1. */
void text_json(struct text *t, const char *data, size_t size);

#endif
