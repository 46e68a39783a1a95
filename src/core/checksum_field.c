/* Checksums in header fields: Repr-Digest, Digest and Content-MD5; see checksum.h. Pure; any
 * thread.
 *
 * What a server sends is read as far as it makes sense: an item that cannot be read vouches for
 * nothing, and is no reason to refuse the others.
 */
#include "core/checksum.h"

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4, exactly `size` bytes. Padding may be missing and spare bits may be set, as
 * RFC 8941 section 4.2.7 has it. */
static bool read_base64(struct span text, unsigned char *out, size_t size)
{
    size_t padding = 0, n = 0;
    unsigned bits = 0, have = 0;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--, padding++;
    if (padding > 2 || (padding && (text.n + padding) % 4) || text.n % 4 == 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int value = base64_value(text.p[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == size)
            return false;
        out[n++] = (unsigned char)(bits >> have & 0xff);
    }
    return n == size;
}

/* Takes the bytes up to `end` off the front of *rest, and `end` too; none within a quoted string
 * counts. */
static struct span take_until(struct span *rest, char end)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->n && (quoted || rest->p[i] != end); i++) {
        if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
        else if (rest->p[i] == '"')
            quoted = !quoted;
    }
    struct span taken = {rest->p, i};
    size_t used = i < rest->n ? i + 1 : i;
    rest->p += used;
    rest->n -= used;
    return taken;
}

/* "sha-256=:BASE64:;parameters" of RFC 9530, or "SHA-256=BASE64" of RFC 3230. */
static bool read_member(struct span member, struct checksum *out)
{
    const char *equals = member.n ? memchr(member.p, '=', member.n) : NULL;
    if (!equals)
        return false;
    struct span name = span_trim((struct span){member.p, (size_t)(equals - member.p)});
    struct span rest = {equals + 1, member.n - (size_t)(equals + 1 - member.p)};
    struct span value = span_trim(take_until(&rest, ';'));
    struct checksum c = {.kind = CHECKSUM_SHA1};
    /* In the registry of digests SHA-1 is "sha". */
    if (!span_equal_nocase(name, "sha") && !checksum_named(name, &c.kind))
        return false;
    if (value.n >= 2 && value.p[0] == ':' && value.p[value.n - 1] == ':')
        value = (struct span){value.p + 1, value.n - 2};
    if (!read_base64(value, c.value, checksum_size(c.kind)))
        return false;
    *out = c;
    return true;
}

/* Of two for one algorithm the later counts (RFC 8941 section 4.2.2). */
bool checksum_from_repr_digest(struct span value, struct checksum *out)
{
    bool any = false;
    while (value.n) {
        struct checksum c;
        if (!read_member(take_until(&value, ','), &c) || (any && c.kind < out->kind))
            continue;
        *out = c;
        any = true;
    }
    return any;
}

bool checksum_from_content_md5(struct span value, struct checksum *out)
{
    struct checksum c = {.kind = CHECKSUM_MD5};
    if (!read_base64(span_trim(value), c.value, checksum_size(c.kind)))
        return false;
    *out = c;
    return true;
}

void checksum_add_base64(struct strbuf *out, const struct checksum *c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = checksum_size(c->kind);
    for (size_t i = 0; i < n; i += 3) {
        unsigned b[3] = {c->value[i], i + 1 < n ? c->value[i + 1] : 0U,
                         i + 2 < n ? c->value[i + 2] : 0U};
        unsigned bits = b[0] << 16 | b[1] << 8 | b[2];
        strbuf_addc(out, digits[bits >> 18]);
        strbuf_addc(out, digits[bits >> 12 & 63]);
        strbuf_addc(out, i + 1 < n ? digits[bits >> 6 & 63] : '=');
        strbuf_addc(out, i + 2 < n ? digits[bits & 63] : '=');
    }
}

/* By the names of the registry (RFC 9530 section 7.2), where SHA-1 is "sha". */
void checksum_add_repr_digest(struct strbuf *out, const struct checksum *c)
{
    static const char *const names[CHECKSUM_KINDS] = {[CHECKSUM_CRC32C] = "crc32c",
                                                      [CHECKSUM_MD5] = "md5",
                                                      [CHECKSUM_SHA1] = "sha",
                                                      [CHECKSUM_SHA256] = "sha-256",
                                                      [CHECKSUM_SHA512] = "sha-512"};
    strbuf_addf(out, "%s=:", names[c->kind]);
    checksum_add_base64(out, c);
    strbuf_addc(out, ':');
}
