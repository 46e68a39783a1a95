/* The patterns of weir filter. Main thread, before anything is requested.
 *
 * A file has one regular expression a line; CR before the newline goes. An empty line is an empty
 * expression and matches everywhere, as in grep; nobody wants that who has left it at the end by
 * mistake, so the caller is told and can warn. Files have a largest size: a list of URLs or a log
 * given by mistake shall not fill the memory.
 */
#include "cli/pattern_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 16 << 20, FIRST_ROWS = 16, READ_BYTES = 64 << 10 };

static bool add_row(struct pattern_list *list, const weir_pattern *row)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : FIRST_ROWS;
        weir_pattern *rows = realloc(list->rows, cap * sizeof *rows);
        if (!rows)
            return false;
        list->rows = rows;
        list->cap = cap;
    }
    list->rows[list->n++] = *row;
    return true;
}

/* Takes `text`, also when it fails. */
static bool keep_text(struct pattern_list *list, char *text)
{
    if (text && list->text_count == list->text_cap) {
        size_t cap = list->text_cap ? list->text_cap * 2 : FIRST_ROWS;
        char **texts = realloc(list->texts, cap * sizeof *texts);
        if (!texts) {
            free(text);
            return false;
        }
        list->texts = texts;
        list->text_cap = cap;
    }
    if (text)
        list->texts[list->text_count++] = text;
    return text != NULL;
}

/* The whole file, ended by a NUL. */
static weir_status read_file(char **out, size_t *size, const char *name, char message[USAGE_MAX])
{
    bool standard = names_stdin(name);
    int fd = standard ? 0 : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return usage_refuse(message, WEIR_USAGE, "-f %s: cannot be opened: %s", name,
                            strerror(errno));
    char *text = NULL;
    size_t n = 0, cap = 0;
    weir_status st = WEIR_OK;
    for (;;) {
        if (cap - n < READ_BYTES + 1) {
            cap += cap + READ_BYTES + 1;
            char *more = realloc(text, cap);
            if (!more) {
                st = usage_refuse(message, WEIR_NOMEM, "-f %s: out of memory", name);
                break;
            }
            text = more;
        }
        ssize_t got = read(fd, text + n, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            st = usage_refuse(message, WEIR_USAGE, "-f %s: cannot be read: %s", name,
                              strerror(errno));
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n > FILE_BYTES_MAX) {
            st = usage_refuse(
                message, WEIR_USAGE,
                "-f %s: more than 16 MiB of patterns; -f takes regular expressions, one a "
                "line (lists of URLs are given with -i)",
                name);
            break;
        }
    }
    if (!standard)
        close(fd);
    if (st || !text) {
        free(text);
        return st;
    }
    text[n] = '\0';
    *out = text;
    *size = n;
    return WEIR_OK;
}

static weir_status add_line(struct pattern_list *list, char *line, size_t n, const char *file,
                            size_t number, char message[USAGE_MAX])
{
    size_t cap = strlen(file) + 32;
    char *origin = malloc(cap);
    if (!keep_text(list, origin))
        return usage_refuse(message, WEIR_NOMEM, "-f %s: out of memory", file);
    snprintf(origin, cap, "%s:%zu", file, number);
    if (n && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    if (!n && !list->empty_line)
        list->empty_line = origin;
    weir_pattern row = {.text = line, .size = n, .origin = origin};
    if (!add_row(list, &row))
        return usage_refuse(message, WEIR_NOMEM, "-f %s: out of memory", file);
    return WEIR_OK;
}

static weir_status add_file(struct pattern_list *list, const char *file, char message[USAGE_MAX])
{
    char *text = NULL;
    size_t size = 0, number = 1;
    weir_status st = read_file(&text, &size, file, message);
    if (st)
        return st;
    if (!keep_text(list, text))
        return usage_refuse(message, WEIR_NOMEM, "-f %s: out of memory", file);
    if (!size && !list->empty_file)
        list->empty_file = file;
    for (char *at = text, *end = text + size; at < end; number++) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *stop = newline ? newline : end;
        st = add_line(list, at, (size_t)(stop - at), file, number, message);
        if (st)
            return st;
        at = stop + 1;
    }
    return WEIR_OK;
}

weir_status pattern_list_load(struct pattern_list *out, const struct filter_arguments *f,
                              char message[USAGE_MAX])
{
    *out = (struct pattern_list){0};
    for (size_t i = 0; i < f->pattern_count; i++) {
        const struct pattern_argument *p = &f->patterns[i];
        weir_pattern row = {.text = p->text,
                            .literal = p->kind == PATTERN_LITERAL,
                            .origin = p->kind == PATTERN_LITERAL ? "-F" : "-e"};
        weir_status st = WEIR_OK;
        if (p->kind == PATTERN_FILE)
            st = add_file(out, p->text, message);
        else if (!add_row(out, &row))
            st = usage_refuse(message, WEIR_NOMEM, "out of memory");
        if (st)
            return st;
    }
    return WEIR_OK;
}

void pattern_list_free(struct pattern_list *list)
{
    for (size_t i = 0; i < list->text_count; i++)
        free(list->texts[i]);
    free(list->texts);
    free(list->rows);
    *list = (struct pattern_list){0};
}
