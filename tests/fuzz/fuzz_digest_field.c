/* Digests as servers and lists write them: Repr-Digest, Content-MD5, and hexadecimal digits of any
 * kind.
 *
 * What was read is of its kind's size and comes out of a list, and back from its own digits, as it
 * went in; of a header field, nothing that stands behind it changes what it says when it is
 * appended as an item that cannot be read.
 */
#include <stdlib.h>

#include "core/checksum.h"
#include "fuzz_must.h"

static void check(const struct checksum *c)
{
    char hex[2 * CHECKSUM_MAX + 1];
    struct strbuf list = {0};
    struct checksum back;
    must(c->kind < CHECKSUM_KINDS);
    checksum_hex(c, hex);
    must(strlen(hex) == 2 * checksum_size(c->kind));
    must(checksum_parse(&back, c->kind, span_of(hex), NULL) == OK && checksum_equal(c, &back));
    must(checksum_list_add(&list, c, NULL) == OK && checksum_list_add(&list, c, NULL) == OK);
    strbuf_addc(&list, '\0');
    must(checksum_list_strongest(list.p, &back) && checksum_equal(c, &back));
    strbuf_free(&list);
}

static bool has_quote(struct span text)
{
    return text.n && memchr(text.p, '"', text.n);
}

static void check_field(struct span text)
{
    static const char other[] = ", crc32=:AAAAAA==:";
    struct checksum c, again;
    bool any = checksum_from_repr_digest(text, &c);
    if (any)
        check(&c);
    if (has_quote(text))
        return;
    struct strbuf longer = {0};
    strbuf_add(&longer, text.p, text.n);
    strbuf_adds(&longer, other);
    must(checksum_from_repr_digest((struct span){longer.p, longer.n}, &again) == any);
    must(!any || checksum_equal(&c, &again));
    strbuf_free(&longer);
}

static void check_digits(struct span text)
{
    enum checksum_kind kind;
    struct checksum c;
    error err;
    if (checksum_named(text, &kind))
        must(kind < CHECKSUM_KINDS);
    for (int k = 0; k < CHECKSUM_KINDS; k++) {
        error_clear(&err);
        if (checksum_parse(&c, (enum checksum_kind)k, text, &err) == OK)
            check(&c);
        else
            must(err.status == WEIR_INPUT && err.message[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* of its exact size */
    if (size)
        memcpy(text, data, size);
    struct span s = {text, size};
    struct checksum c;
    check_field(s);
    check_digits(s);
    if (checksum_from_content_md5(s, &c))
        check(&c);
    free(text);
    return 0;
}
