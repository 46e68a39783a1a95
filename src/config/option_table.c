/* The rows of options.def at run time. All of it is constant; any thread.
 *
 * The file includes options.def twice: once for what the public sees (weir_option), once for what
 * only this room needs (type and place in the struct). Row i is the same option in both.
 */
#include "config/option_table.h"

#include <string.h>

#define NAME_COMPARED 64

/* The words of weir_option.type. */
#define TYPE_NAME_COUNT "count"
#define TYPE_NAME_SIZE "size"
#define TYPE_NAME_TIME "time"
#define TYPE_NAME_RATE "rate"
#define TYPE_NAME_BANDWIDTH "rate"
#define TYPE_NAME_BOOL "boolean"
#define TYPE_NAME_TEXT "text"
#define TYPE_NAME_LIST "list"
#define TYPE_NAME_CHOICE "choice"
#define TYPE_NAME_STATUSES "text"
#define TYPE_NAME_FAILURES "text"
#define TYPE_NAME_DECODED "size"

static const weir_option rows[] = {
#define OPTION(section_, key_, type_, default_, allowed_, flag_, alias_, letter_, arg_,            \
               flag_value_, per_host_, secret_, help_)                                             \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .value = default_,                                                                            \
     .type = TYPE_NAME_##type_,                                                                    \
     .allowed = allowed_,                                                                          \
     .flag = flag_,                                                                                \
     .alias = alias_,                                                                              \
     .letter = letter_,                                                                            \
     .arg = arg_,                                                                                  \
     .flag_value = flag_value_,                                                                    \
     .per_host = per_host_,                                                                        \
     .help = help_,                                                                                \
     .secret = secret_},
#include "config/options.def"
#undef OPTION
};

static const struct member {
    enum option_type type;
    size_t offset, size;
} members[] = {
#define OPTION(section, key, type, ...)                                                            \
    {TYPE_##type, offsetof(struct options, section##_##key), sizeof(OPTION_CTYPE_##type)},
#include "config/options.def"
#undef OPTION
};

const weir_option *weir_option_at(size_t i)
{
    return i < OPTION_ROWS ? &rows[i] : NULL;
}

enum option_type option_type_of(size_t row)
{
    return members[row].type;
}

void *option_field(struct options *o, size_t row)
{
    return (char *)o + members[row].offset;
}

void option_borrow(struct options *to, const struct options *from, size_t row)
{
    memcpy((char *)to + members[row].offset, (const char *)from + members[row].offset,
           members[row].size);
}

/* ---- names ---- */

static void split_name(struct span name, struct span *section, struct span *key)
{
    const char *dot = name.n ? memchr(name.p, '.', name.n) : NULL;
    size_t n = dot ? (size_t)(dot - name.p) : 0;
    *section = (struct span){name.p, n};
    *key = dot ? (struct span){dot + 1, name.n - n - 1} : name;
}

int option_find(struct span name)
{
    struct span section, key;
    if (!name.n)
        return -1;
    split_name(name, &section, &key);
    for (int i = 0; i < OPTION_ROWS; i++)
        if (span_equal(section, rows[i].section) && span_equal(key, rows[i].key))
            return i;
    return -1;
}

bool option_section_exists(struct span section)
{
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (span_equal(section, rows[i].section))
            return true;
    return false;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance (Levenshtein) between `a` and `b`; both cut to NAME_COMPARED characters. */
static size_t distance(struct span a, struct span b)
{
    size_t row[NAME_COMPARED + 1];
    a.n = least(a.n, NAME_COMPARED);
    b.n = least(b.n, NAME_COMPARED);
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t substitute = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            row[j] = least(substitute, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.n];
}

/* Near enough to be a slip of the fingers. */
static size_t tolerance(struct span name)
{
    return name.n / 3 < 2 ? 2 : name.n / 3;
}

void option_suggest(struct strbuf *out, struct span name)
{
    struct span section, key;
    split_name(name, &section, &key);
    size_t best = tolerance(name) + 1, row = OPTION_ROWS;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        /* The right key under another section, or under none, is nearer than most slips. */
        size_t section_off = section.n ? distance(section, span_of(rows[i].section)) : 0;
        size_t key_off = distance(key, span_of(rows[i].key));
        size_t off = key_off == 0 ? (section_off > 0) : key_off + section_off;
        if (off < best) {
            best = off;
            row = i;
        }
    }
    if (row < OPTION_ROWS)
        strbuf_addf(out, "; did you mean %s.%s?", rows[row].section, rows[row].key);
    else
        strbuf_adds(out, "; `weir config` lists every option");
}

void option_suggest_section(struct strbuf *out, struct span section)
{
    size_t best = tolerance(section) + 1;
    const char *name = NULL;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        size_t off = distance(section, span_of(rows[i].section));
        if (off < best) {
            best = off;
            name = rows[i].section;
        }
    }
    if (name) {
        strbuf_addf(out, "; did you mean [%s]?", name);
        return;
    }
    strbuf_adds(out, "; there are");
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0)
            strbuf_addf(out, " [%s]", rows[i].section);
    strbuf_adds(out, " and [host \"name\"]");
}
