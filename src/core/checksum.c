/* Checksums by OpenSSL, and CRC-32C; see checksum.h. A state has one owner at a time; the rest is
 * pure.
 *
 * OpenSSL looks an algorithm up by name under locks, and EVP_sha256() does so at every start. With
 * small files that costs more than the digest, so each is fetched once, for the whole process:
 * what is fetched never changes, and is the one thing here that is not const.
 */
#include "core/checksum.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/crc32c.h"

static const struct kind_row {
    const char *name;
    size_t size;
    const char *names[3]; /* in lower case, without '-' and '_' */
} kinds[CHECKSUM_KINDS] = {
    [CHECKSUM_CRC32C] = {"crc32c", 4, {"crc32c"}},
    [CHECKSUM_MD5] = {"md5", 16, {"md5"}},
    [CHECKSUM_SHA1] = {"sha1", 20, {"sha1"}},
    [CHECKSUM_SHA256] = {"sha256", 32, {"sha256", "sha2256"}}, /* OpenSSL 3 says SHA2-256 */
    [CHECKSUM_SHA512] = {"sha512", 64, {"sha512", "sha2512"}},
};

const char *checksum_name(enum checksum_kind kind)
{
    return kinds[kind].name;
}

size_t checksum_size(enum checksum_kind kind)
{
    return kinds[kind].size;
}

/* ---- text ---- */

bool checksum_named(struct span name, enum checksum_kind *out)
{
    char plain[16];
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '-' || c == '_')
            continue;
        if (n + 1 >= sizeof plain)
            return false;
        plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    for (int kind = 0; kind < CHECKSUM_KINDS; kind++) {
        for (size_t i = 0; i < 3 && kinds[kind].names[i]; i++) {
            if (!span_equal((struct span){plain, n}, kinds[kind].names[i]))
                continue;
            *out = (enum checksum_kind)kind;
            return true;
        }
    }
    return false;
}

/* Eight digits are of no kind: files that hold such sums hold CRC-32, which is another one. */
bool checksum_of_digits(size_t digits, enum checksum_kind *out)
{
    for (int kind = CHECKSUM_MD5; kind < CHECKSUM_KINDS; kind++) {
        if (digits == 2 * kinds[kind].size) {
            *out = (enum checksum_kind)kind;
            return true;
        }
    }
    return false;
}

status checksum_parse(struct checksum *out, enum checksum_kind kind, struct span hex, error *err)
{
    const char *name = kinds[kind].name;
    size_t size = kinds[kind].size;
    int shown = hex.n < 2 * CHECKSUM_MAX ? (int)hex.n : 2 * CHECKSUM_MAX;
    struct checksum c = {.kind = kind};
    for (size_t i = 0; i < hex.n; i++) {
        int digit = hex_value(hex.p[i]);
        if (digit < 0)
            return fail(
                err, WEIR_INPUT,
                "%s: \"%.*s\" holds \"%c\", which is no hexadecimal digit; write %zu of 0-9 "
                "and a-f",
                name, shown, hex.p, hex.p[i], 2 * size);
        if (i < 2 * size)
            c.value[i / 2] = (unsigned char)(c.value[i / 2] << 4 | digit);
    }
    if (hex.n != 2 * size)
        return fail(err, WEIR_INPUT, "%s: \"%.*s\" has %zu hexadecimal digits; write %zu", name,
                    shown, hex.n ? hex.p : "", hex.n, 2 * size);
    *out = c;
    return OK;
}

void checksum_hex(const struct checksum *c, char out[2 * CHECKSUM_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t size = kinds[c->kind].size;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[c->value[i] >> 4];
        out[2 * i + 1] = digits[c->value[i] & 15];
    }
    out[2 * size] = '\0';
}

bool checksum_equal(const struct checksum *a, const struct checksum *b)
{
    return a->kind == b->kind && memcmp(a->value, b->value, kinds[a->kind].size) == 0;
}

/* ---- lists ---- */

static bool read_item(const char *item, struct checksum *out)
{
    const char *equals = strchr(item, '=');
    enum checksum_kind kind;
    return equals && checksum_named((struct span){item, (size_t)(equals - item)}, &kind) &&
           checksum_parse(out, kind, span_of(equals + 1), NULL) == OK;
}

/* Where an item of this kind stands, or would; true: one does. */
static bool find_place(const struct strbuf *list, enum checksum_kind kind, size_t *at,
                       struct checksum *there)
{
    for (*at = 0; *at < list->n; *at += strlen(list->p + *at) + 1) {
        if (!read_item(list->p + *at, there) || there->kind < kind)
            continue;
        return there->kind == kind;
    }
    return false;
}

status checksum_list_add(struct strbuf *list, const struct checksum *c, error *err)
{
    char hex[2 * CHECKSUM_MAX + 1], was[2 * CHECKSUM_MAX + 1];
    const char *name = kinds[c->kind].name;
    struct checksum there;
    size_t at, before = list->n;
    checksum_hex(c, hex);
    if (find_place(list, c->kind, &at, &there)) {
        if (checksum_equal(&there, c))
            return OK;
        checksum_hex(&there, was);
        return fail(err, WEIR_INPUT, "%s is given twice, as %s and as %s; write the right one only",
                    name, was, hex);
    }
    /* "name=hex" and its NUL go to the end, and then what stood behind the place follows them. */
    char item[16 + sizeof hex], moved[CHECKSUM_KINDS * (16 + sizeof hex)];
    size_t size = strlen(name) + 1 + strlen(hex) + 1, rest = before - at;
    memcpy(item, name, strlen(name));
    item[strlen(name)] = '=';
    memcpy(item + strlen(name) + 1, hex, strlen(hex) + 1);
    strbuf_add(list, item, size);
    if (list->failed || rest > sizeof moved)
        return fail(err, WEIR_NOMEM, "out of memory for a list of checksums");
    if (rest) {
        memcpy(moved, list->p + at, rest);
        memcpy(list->p + at, item, size);
        memcpy(list->p + at + size, moved, rest);
    }
    return OK;
}

bool checksum_list_next(const char **at, struct checksum *out)
{
    const char *item = *at;
    if (!item || !*item || !read_item(item, out))
        return false;
    *at = item + strlen(item) + 1;
    return true;
}

bool checksum_list_strongest(const char *list, struct checksum *out)
{
    bool any = false;
    while (checksum_list_next(&list, out))
        any = true;
    return any;
}

/* ---- states ---- */

struct checksum_state {
    enum checksum_kind kind;
    bool lost;         /* out of memory: what is added goes nowhere */
    uint32_t crc;      /* CHECKSUM_CRC32C: so far */
    EVP_MD_CTX *bytes; /* the others: what has been added */
    EVP_MD_CTX *spare; /* a copy is ended here, since ending it uses it up */
};

static struct fetched {
    pthread_once_t once;
    EVP_MD *md[CHECKSUM_KINDS];
} fetched = {.once = PTHREAD_ONCE_INIT};

static void fetch_all(void)
{
    for (int kind = CHECKSUM_MD5; kind < CHECKSUM_KINDS; kind++)
        fetched.md[kind] = EVP_MD_fetch(NULL, kinds[kind].name, NULL);
}

struct checksum_state *checksum_start(enum checksum_kind kind)
{
    struct checksum_state *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->kind = kind;
    if (kind == CHECKSUM_CRC32C)
        return s;
    pthread_once(&fetched.once, fetch_all);
    s->bytes = EVP_MD_CTX_new();
    s->spare = EVP_MD_CTX_new();
    if (!s->bytes || !s->spare || !fetched.md[kind] ||
        !EVP_DigestInit_ex(s->bytes, fetched.md[kind], NULL)) {
        checksum_free(s);
        return NULL;
    }
    return s;
}

struct checksum_state *checksum_copy(const struct checksum_state *s)
{
    struct checksum_state *copy = checksum_start(s->kind);
    if (!copy)
        return NULL;
    copy->crc = s->crc;
    if (s->lost || (s->bytes && !EVP_MD_CTX_copy_ex(copy->bytes, s->bytes))) {
        checksum_free(copy);
        return NULL;
    }
    return copy;
}

bool checksum_restart(struct checksum_state *s)
{
    s->crc = 0;
    s->lost = s->bytes && !EVP_DigestInit_ex(s->bytes, NULL, NULL);
    return !s->lost;
}

void checksum_add(struct checksum_state *s, const void *data, size_t size)
{
    if (!s->bytes)
        s->crc = crc32c_add(s->crc, data, size);
    else if (size && !s->lost)
        EVP_DigestUpdate(s->bytes, data, size);
}

/* Out of memory, the value is that of nothing: it vouches for no body, and that body fails. */
void checksum_value(const struct checksum_state *s, struct checksum *out)
{
    *out = (struct checksum){.kind = s->kind};
    if (s->bytes) {
        if (s->lost || !EVP_MD_CTX_copy_ex(s->spare, s->bytes) ||
            !EVP_DigestFinal_ex(s->spare, out->value, NULL))
            memset(out->value, 0, sizeof out->value);
        return;
    }
    for (int i = 0; i < 4; i++)
        out->value[i] = (unsigned char)(s->crc >> (24 - 8 * i));
}

void checksum_free(struct checksum_state *s)
{
    if (!s)
        return;
    EVP_MD_CTX_free(s->bytes);
    EVP_MD_CTX_free(s->spare);
    free(s);
}
