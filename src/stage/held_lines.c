/* Lines that may become context; see held_lines.h. Worker of the file.
 *
 * Lines stand one behind the other, each behind its number and size. They are moved to the front
 * when they reach the end and fill less than half of the memory, so that each byte is moved about
 * once; otherwise the memory grows, to twice what may be held.
 */
#include "stage/held_lines.h"

#include <stdlib.h>

#define HELD_MAX ((size_t)4 << 20)

struct head {
    uint64_t number;
    size_t n;
};

void held_lines_free(struct held_lines *h)
{
    free(h->p);
    *h = (struct held_lines){0};
}

void held_lines_clear(struct held_lines *h)
{
    h->from = h->to = 0;
    h->n = 0;
}

static status make_room(struct held_lines *h, size_t n, error *err)
{
    if (n <= h->cap - h->to)
        return OK;
    size_t used = h->to - h->from, cap = h->cap ? h->cap : 4096;
    if (used + n > h->cap / 2) {
        while (cap < 2 * (used + n))
            cap *= 2;
        char *p = malloc(cap);
        if (!p)
            return fail(err, WEIR_NOMEM, "out of memory: %zu bytes for lines of context", cap);
        if (used)
            memcpy(p, h->p + h->from, used);
        free(h->p);
        h->p = p;
        h->cap = cap;
    } else {
        memmove(h->p, h->p + h->from, used);
    }
    h->from = 0;
    h->to = used;
    return OK;
}

status held_lines_add(struct held_lines *h, struct span line, uint64_t number, bool *dropped,
                      error *err)
{
    struct head head = {.number = number, .n = line.n};
    if (sizeof head + line.n > HELD_MAX) {
        held_lines_clear(h);
        *dropped = true;
        return OK;
    }
    struct span oldest;
    uint64_t its_number;
    while (h->to - h->from + sizeof head + line.n > HELD_MAX) {
        held_lines_take(h, &oldest, &its_number);
        *dropped = true;
    }
    status st = make_room(h, sizeof head + line.n, err);
    if (st)
        return st;
    memcpy(h->p + h->to, &head, sizeof head);
    memcpy(h->p + h->to + sizeof head, line.p, line.n);
    h->to += sizeof head + line.n;
    h->n++;
    return OK;
}

bool held_lines_take(struct held_lines *h, struct span *line, uint64_t *number)
{
    if (!h->n)
        return false;
    struct head head;
    memcpy(&head, h->p + h->from, sizeof head);
    *line = (struct span){h->p + h->from + sizeof head, head.n};
    *number = head.number;
    h->from += sizeof head + head.n;
    h->n--;
    return true;
}
