/* What is said of a pattern that cannot be used: which one, where it is bad, why, and what to do.
 *
 * One line, safe for a terminal, whatever bytes the pattern is made of.
 */
#include <stdio.h>

#include "match/match_plan.h"

#define SHOWN 60 /* bytes of a pattern in a message, each side of the mark */

static void add_quoted(struct strbuf *out, struct span text, bool from_end)
{
    bool cut = text.n > SHOWN;
    if (cut && from_end)
        text.p += text.n - SHOWN;
    text.n = cut ? SHOWN : text.n;
    strbuf_adds(out, cut && from_end ? "\"..." : "\"");
    strbuf_add_printable(out, text);
    strbuf_adds(out, cut && !from_end ? "...\"" : "\"");
}

status refuse_pattern(const struct pattern_spec *spec, const char *why, error *err)
{
    struct strbuf shown = {0};
    add_quoted(&shown, spec->text, false);
    status st = fail(err, WEIR_USAGE, "%s: %s: %s", spec->origin ? spec->origin : "pattern",
                     strbuf_text(&shown), why);
    strbuf_free(&shown);
    return st;
}

status refuse_expression(const struct pattern_spec *spec, int code, size_t at, error *err)
{
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return fail(err, WEIR_NOMEM, "out of memory for a pattern");
    if (code == PCRE2_ERROR_UTF_IS_DISABLED)
        return refuse_pattern(spec,
                              "(*UTF) cannot be used: lines are searched as bytes; leave it out "
                              "and write the bytes of a character as they are",
                              err);
    char text[160];
    if (pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text) < 0)
        snprintf(text, sizeof text, "error %d", code);
    at = at < spec->text.n ? at : spec->text.n;
    struct strbuf why = {0};
    strbuf_addf(&why, "%s at position %zu: ", text, at);
    add_quoted(&why, (struct span){spec->text.p, at}, true);
    strbuf_adds(&why, " <-- here");
    if (at < spec->text.n) {
        strbuf_addc(&why, ' ');
        add_quoted(&why, (struct span){spec->text.p + at, spec->text.n - at}, false);
    }
    strbuf_adds(&why, "; mend the expression, or give it as a literal");
    status st = refuse_pattern(spec, strbuf_text(&why), err);
    strbuf_free(&why);
    return st;
}
