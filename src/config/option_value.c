/* Values of options: from text to the member of struct options, and back. One thread an owner.
 *
 * What a value may be stands in the row's `allowed`, which is shown to people and read here, so
 * that what is said and what is checked cannot drift apart.
 */
#include "config/option_value.h"

#include <stdlib.h>

#include "config/units.h"

#define COUNT_AUTO_TEXT "auto"
#define STATUS_LOWEST 100
#define STATUS_HIGHEST 599

static status refuse(error *err, size_t row, const char *text, const char *reason)
{
    struct strbuf shown = {0};
    if (weir_option_at(row)->secret)
        strbuf_adds(&shown, "the value");
    else
        quote_value(&shown, text);
    status st = fail(err, WEIR_CONFIG, "%s %s; allowed: %s", strbuf_text(&shown), reason,
                     weir_option_at(row)->allowed);
    strbuf_free(&shown);
    return st;
}

/* ---- numbers ---- */

typedef status (*number_parser)(const char *text, int64_t *out, error *err);

static number_parser parser_of(enum option_type type)
{
    return type == TYPE_COUNT ? parse_count : type == TYPE_SIZE ? parse_size : parse_time;
}

/* A COUNT may leave it to the program: "auto|LOW..HIGH". */
static bool allows_auto(const char *allowed)
{
    return strncmp(allowed, COUNT_AUTO_TEXT "|", sizeof COUNT_AUTO_TEXT) == 0;
}

/* Is `value` within "LOW..HIGH" or "LOW.."? */
static bool in_bounds(const char *allowed, number_parser parse, int64_t value)
{
    char low_text[32];
    allowed += allows_auto(allowed) ? sizeof COUNT_AUTO_TEXT : 0;
    int64_t low = 0, high = INT64_MAX;
    const char *dots = strstr(allowed, "..");
    size_t n = dots ? (size_t)(dots - allowed) : sizeof low_text;
    if (n >= sizeof low_text)
        return false;
    memcpy(low_text, allowed, n);
    low_text[n] = '\0';
    if (parse(low_text, &low, NULL) || (dots[2] && parse(dots + 2, &high, NULL)))
        return false;
    return low <= value && value <= high;
}

static status parse_number(size_t row, const char *text, int64_t *out, error *err)
{
    number_parser parse = parser_of(option_type_of(row));
    int64_t value;
    if (allows_auto(weir_option_at(row)->allowed) && strcmp(text, COUNT_AUTO_TEXT) == 0) {
        *out = COUNT_AUTO;
        return OK;
    }
    status st = parse(text, &value, err);
    if (st)
        return st;
    if (!in_bounds(weir_option_at(row)->allowed, parse, value))
        return refuse(err, row, text, "is out of range");
    *out = value;
    return OK;
}

/* ---- words ---- */

/* The position of `word` among "a|b|c", or -1. */
static int word_index(const char *words, struct span word)
{
    for (int i = 0;; i++) {
        size_t n = strcspn(words, "|");
        if (word.n && n == word.n && memcmp(words, word.p, n) == 0)
            return i;
        if (!words[n])
            return -1;
        words += n + 1;
    }
}

static status parse_choice(size_t row, const char *text, int *out, error *err)
{
    int i = word_index(weir_option_at(row)->allowed, span_trim(span_of(text)));
    if (i < 0)
        return refuse(err, row, text, "is not a choice");
    *out = i;
    return OK;
}

static status parse_bool(size_t row, const char *text, bool *out, error *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    struct span s = span_trim(span_of(text));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_equal_nocase(s, words[i])) {
            *out = i & 1;
            return OK;
        }
    return refuse(err, row, text, "is neither yes nor no");
}

/* Is every item of a list with commas one of `words`? */
static bool only_words(const char *words, const char *text)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        if (word_index(words, span_trim((struct span){text, n})) < 0)
            return false;
        if (!text[n])
            return true;
        text += n + 1;
    }
}

/* An option that has a default is never unset: who reads it need not ask. */
static status check_text(size_t row, const char *text, error *err)
{
    static const char list_of[] = "list of ";
    const char *allowed = weir_option_at(row)->allowed;
    if (!*text && *weir_option_at(row)->value)
        return refuse(err, row, text, "is empty");
    for (const char *p = text; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return refuse(err, row, text, "holds a control character");
    if (strncmp(allowed, list_of, sizeof list_of - 1) == 0) {
        if (!only_words(allowed + sizeof list_of - 1, text))
            return refuse(err, row, text, "holds an unknown word");
    } else if (strchr(allowed, '|') && !strchr(allowed, ' ')) {
        if (*text && word_index(allowed, span_of(text)) < 0)
            return refuse(err, row, text, "is not a choice");
    }
    return OK;
}

static status parse_text(size_t row, const char *text, char **out, error *err)
{
    status st = check_text(row, text, err);
    if (st)
        return st;
    char *copy = NULL;
    if (*text) {
        copy = strdup(text);
        if (!copy)
            return fail(err, WEIR_NOMEM, "out of memory");
    }
    free(*out);
    *out = copy;
    return OK;
}

/* ---- status codes and failures ---- */

static status parse_statuses(size_t row, const char *text, struct status_set *out, error *err)
{
    struct status_set set = {{0}};
    const char *p = text;
    while (*p || p != text) {
        size_t n = strcspn(p, ",");
        uint64_t code;
        if (!parse_uint64(span_trim((struct span){p, n}), &code) || code < STATUS_LOWEST ||
            code > STATUS_HIGHEST)
            return refuse(err, row, text, "is not a list of status codes");
        set.bits[code / 64] |= UINT64_C(1) << (code % 64);
        if (!p[n])
            break;
        p += n + 1;
    }
    *out = set;
    return OK;
}

static void format_statuses(struct strbuf *out, const struct status_set *set)
{
    const char *comma = "";
    for (int code = STATUS_LOWEST; code <= STATUS_HIGHEST; code++)
        if (status_set_has(set, code)) {
            strbuf_addf(out, "%s%d", comma, code);
            comma = ",";
        }
}

static status parse_failures(size_t row, const char *text, struct failure_limit *out, error *err)
{
    struct failure_limit limit = {0, 0};
    struct span s = span_trim(span_of(text));
    if (s.n && s.p[s.n - 1] == '%') {
        if (!parse_percent((struct span){s.p, s.n - 1}, &limit.percent))
            return refuse(err, row, text, "is not a share of at most 100%");
    } else if (s.n && parse_count(text, &limit.count, NULL) != OK) {
        return refuse(err, row, text, "is neither a count nor a share");
    }
    *out = limit;
    return OK;
}

static void format_failures(struct strbuf *out, const struct failure_limit *limit)
{
    if (limit->count) {
        format_count(out, limit->count);
    } else if (limit->percent > 0) {
        format_percent(out, limit->percent);
        strbuf_addc(out, '%');
    }
}

static status parse_decoded(size_t row, const char *text, struct decoded_limit *out, error *err)
{
    struct decoded_limit limit = {0, 0, false};
    struct span s = span_trim(span_of(text));
    uint64_t times;
    limit.set = s.n > 0;
    if (s.n && (s.p[s.n - 1] == 'x' || s.p[s.n - 1] == 'X')) {
        if (!parse_uint64((struct span){s.p, s.n - 1}, &times) || times < 1 || times > INT32_MAX)
            return refuse(err, row, text, "is not a multiple");
        limit.ratio = (int64_t)times;
    } else if (s.n && (parse_size(text, &limit.bytes, NULL) != OK || limit.bytes < 0)) {
        return refuse(err, row, text, "is neither a size nor a multiple");
    }
    *out = limit;
    return OK;
}

static void format_decoded(struct strbuf *out, const struct decoded_limit *limit)
{
    if (limit->ratio)
        strbuf_addf(out, "%lldx", (long long)limit->ratio);
    else if (limit->set)
        format_size(out, limit->bytes);
}

/* ---- lists ---- */

status text_list_add(struct text_list *list, const char *text, size_t n, error *err)
{
    char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (!items)
        return fail(err, WEIR_NOMEM, "out of memory");
    list->items = items;
    items[list->n] = strndup(text, n);
    if (!items[list->n])
        return fail(err, WEIR_NOMEM, "out of memory");
    list->n++;
    return OK;
}

void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){NULL, 0};
}

static status parse_list(size_t row, const char *text, struct text_list *list, error *err)
{
    struct span s = span_trim(span_of(text));
    if (strcmp(weir_option_at(row)->key, "header") == 0)
        return header_list_add(list, text, err);
    return s.n ? text_list_add(list, s.p, s.n, err) : OK;
}

/* ---- every type ---- */

status option_parse(struct options *o, size_t row, const char *text, error *err)
{
    void *field = option_field(o, row);
    switch (option_type_of(row)) {
    case TYPE_COUNT:
    case TYPE_SIZE:
    case TYPE_TIME:
        return parse_number(row, text, field, err);
    case TYPE_RATE:
        return parse_rate(text, field, err);
    case TYPE_BANDWIDTH:
        return parse_bandwidth(text, field, err);
    case TYPE_BOOL:
        return parse_bool(row, text, field, err);
    case TYPE_TEXT:
        return parse_text(row, text, field, err);
    case TYPE_LIST:
        return parse_list(row, text, field, err);
    case TYPE_CHOICE:
        return parse_choice(row, text, field, err);
    case TYPE_STATUSES:
        return parse_statuses(row, text, field, err);
    case TYPE_FAILURES:
        return parse_failures(row, text, field, err);
    case TYPE_DECODED:
        return parse_decoded(row, text, field, err);
    }
    return fail(err, WEIR_CONFIG, "option without a type");
}

void option_clear(struct options *o, size_t row)
{
    void *field = option_field(o, row);
    if (option_type_of(row) == TYPE_LIST)
        text_list_clear(field);
    if (option_type_of(row) == TYPE_TEXT) {
        free(*(char **)field);
        *(char **)field = NULL;
    }
}

static void format_choice(struct strbuf *out, const char *words, int position)
{
    while (position-- > 0)
        words += strcspn(words, "|") + 1;
    strbuf_add(out, words, strcspn(words, "|"));
}

static void format_list(struct strbuf *out, const struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        strbuf_addf(out, "%s%s", i ? "\n" : "", list->items[i]);
}

void option_format(struct strbuf *out, const struct options *o, size_t row)
{
    const void *field = option_field((struct options *)(uintptr_t)o, row);
    switch (option_type_of(row)) {
    case TYPE_COUNT:
        if (allows_auto(weir_option_at(row)->allowed) && *(const int64_t *)field == COUNT_AUTO)
            strbuf_adds(out, COUNT_AUTO_TEXT);
        else
            format_count(out, *(const int64_t *)field);
        break;
    case TYPE_SIZE:
        format_size(out, *(const int64_t *)field);
        break;
    case TYPE_TIME:
        format_time(out, *(const int64_t *)field);
        break;
    case TYPE_RATE:
        format_rate(out, *(const double *)field);
        break;
    case TYPE_BANDWIDTH:
        format_bandwidth(out, *(const double *)field);
        break;
    case TYPE_BOOL:
        strbuf_adds(out, *(const bool *)field ? "yes" : "no");
        break;
    case TYPE_TEXT:
        strbuf_adds(out, *(char *const *)field ? *(char *const *)field : "");
        break;
    case TYPE_LIST:
        format_list(out, field);
        break;
    case TYPE_CHOICE:
        format_choice(out, weir_option_at(row)->allowed, *(const int *)field);
        break;
    case TYPE_STATUSES:
        format_statuses(out, field);
        break;
    case TYPE_FAILURES:
        format_failures(out, field);
        break;
    case TYPE_DECODED:
        format_decoded(out, field);
        break;
    }
}
