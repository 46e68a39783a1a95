/* See request_path.h. Any thread. */
#include "serve/request_path.h"

#include <limits.h>

static bool ends_with(struct span s, const char *ending)
{
    size_t n = strlen(ending);
    return s.n >= n && memcmp(s.p + s.n - n, ending, n) == 0;
}

bool name_is_hidden(const char *name)
{
    return name[0] == '.';
}

bool name_is_unfinished(const char *name)
{
    return ends_with(span_of(name), ".part") || ends_with(span_of(name), ".part.resume");
}

/* Takes "http://authority" off the front. */
static struct span without_origin(struct span target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (target.n < n || !span_equal_nocase((struct span){target.p, n}, schemes[i]))
            continue;
        const char *slash = memchr(target.p + n, '/', target.n - n);
        if (!slash) /* an empty path is "/" (RFC 9110 section 4.2.3) */
            return (struct span){"/", 1};
        return (struct span){slash, (size_t)(target.p + target.n - slash)};
    }
    return target;
}

/* Decodes one component onto *out. */
static enum path_verdict decode(struct strbuf *out, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return PATH_MALFORMED;
            c = (char)(high << 4 | low);
            if (c == '/' || c == '\0') /* no file has it in its name */
                return PATH_ABSENT;
            i += 2;
        } else if (c == '\0') {
            return PATH_MALFORMED;
        }
        strbuf_addc(out, c);
    }
    return PATH_FINE;
}

static bool is_dots(struct span s)
{
    return span_equal(s, ".") || span_equal(s, "..");
}

static void note(struct request_path *out, struct span component)
{
    out->hidden |= component.p[0] == '.';
    out->unfinished |= ends_with(component, ".part") || ends_with(component, ".part.resume");
    for (size_t i = 0; i < component.n; i++)
        out->control |= (unsigned char)component.p[i] < ' ' || component.p[i] == 0x7f;
}

enum path_verdict request_path_parse(struct request_path *out, struct span target)
{
    *out = (struct request_path){.name = {.max = PATH_MAX}};
    struct span rest = without_origin(target);
    if (!rest.n || rest.p[0] != '/')
        return PATH_MALFORMED;
    while (rest.n) {
        while (rest.n && rest.p[0] == '/')
            rest.p++, rest.n--;
        const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
        out->folder = slash != NULL || !rest.n;
        if (!n)
            break;
        if (out->name.n)
            strbuf_addc(&out->name, '/');
        size_t begin = out->name.n;
        enum path_verdict v = decode(&out->name, (struct span){rest.p, n});
        if (v)
            return v;
        if (out->name.failed || out->name.n - begin > NAME_MAX)
            return PATH_TOO_LONG;
        struct span component = {out->name.p + begin, out->name.n - begin};
        if (is_dots(component))
            return PATH_ABSENT;
        note(out, component);
        rest.p += n;
        rest.n -= n;
    }
    return PATH_FINE;
}

void request_path_free(struct request_path *p)
{
    strbuf_free(&p->name);
}

void url_path_add(struct strbuf *out, const char *name)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~/";
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if (strchr(plain, *c)) {
            strbuf_addc(out, (char)*c);
        } else {
            strbuf_addc(out, '%');
            strbuf_addc(out, digits[*c >> 4]);
            strbuf_addc(out, digits[*c & 15]);
        }
    }
}
