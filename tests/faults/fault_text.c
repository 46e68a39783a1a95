/* A text that grows. One thread. */
#include "fault_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_clear(struct text *t)
{
    t->size = 0;
    if (t->data)
        t->data[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

static void text_reserve(struct text *t, size_t more)
{
    if (t->room - t->size > more)
        return;
    size_t room = t->room ? t->room : 256;
    while (room - t->size <= more)
        room *= 2;
    char *data = realloc(t->data, room);
    if (!data) {
        fprintf(stderr, "faultd: out of memory\n");
        exit(1);
    }
    t->data = data;
    t->room = room;
}

void text_add(struct text *t, const void *data, size_t size)
{
    text_reserve(t, size);
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void text_print(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char small[1024];
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof small) {
        text_add(t, small, (size_t)n);
        return;
    }
    text_reserve(t, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(t->data + t->size, (size_t)n + 1, format, args);
    va_end(args);
    t->size += (size_t)n;
}

void text_json(struct text *t, const char *data, size_t size)
{
    text_add(t, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\')
            text_print(t, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            text_print(t, "\\u%04x", c);
        else
            text_add(t, &c, 1);
    }
    text_add(t, "\"", 1);
}
