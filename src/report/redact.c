/* See redact.h. The text is searched, not parsed: reports also show lines that are no URLs. */
#include "report/redact.h"

#define URL_ENDS "/?#"
#define TEXT_ENDS "/?# \t\n\"'<>()"

/* Where the user and password at the start of an authority end, 0 when there are none. */
static size_t userinfo_size(struct span s, const char *ends)
{
    size_t size = 0;
    for (size_t i = 0; i < s.n && !strchr(ends, s.p[i]); i++)
        if (s.p[i] == '@')
            size = i + 1;
    return size;
}

/* Bytes up to the next place where an authority may begin: behind "://", or behind a character
 * that parts words. */
static size_t to_next_start(struct span s, const char *parting, bool *after_scheme)
{
    for (size_t i = 0; i < s.n; i++) {
        *after_scheme = s.n - i >= 3 && memcmp(s.p + i, "://", 3) == 0;
        if (*after_scheme)
            return i + 3;
        if (s.p[i] && strchr(parting, s.p[i]))
            return i + 1;
    }
    return s.n;
}

static void redact(struct strbuf *out, struct span s, const char *ends, const char *parting)
{
    bool after_scheme = false;
    while (s.n) {
        size_t n = userinfo_size(s, ends);
        if (n && (after_scheme || memchr(s.p, ':', n)))
            s.p += n, s.n -= n;
        n = to_next_start(s, parting, &after_scheme);
        strbuf_add(out, s.p, n);
        s.p += n, s.n -= n;
    }
}

void redact_url(struct strbuf *out, struct span url)
{
    redact(out, url, URL_ENDS, "");
}

void redact_text(struct strbuf *out, struct span text)
{
    redact(out, text, TEXT_ENDS, TEXT_ENDS + 3);
}
