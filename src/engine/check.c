/* See check.h. */
#include "engine/check.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE ((size_t)4 << 20)

static status restart(struct body_check *c, error *err)
{
    c->at = 0;
    bool ready =
        c->state ? checksum_restart(c->state) : (c->state = checksum_start(c->wanted.kind)) != NULL;
    return ready ? OK
                 : fail(err, WEIR_NOMEM,
                        "%s cannot be calculated: out of memory, or OpenSSL was set up without it",
                        checksum_name(c->wanted.kind));
}

status check_open(struct body_check *c, const char *digests, error *err)
{
    *c = (struct body_check){0};
    c->wants = digests && checksum_list_strongest(digests, &c->wanted);
    return c->wants ? restart(c, err) : OK;
}

void check_close(struct body_check *c)
{
    checksum_free(c->state);
    *c = (struct body_check){0};
}

/* Content-MD5 is of the message: of a 206, of its part. */
static bool read_headers(struct body_check *c, const struct response *r)
{
    if (r->repr_digest && checksum_from_repr_digest(span_of(r->repr_digest), &c->wanted))
        return true;
    return r->content_md5 && r->http_status != 206 &&
           checksum_from_content_md5(span_of(r->content_md5), &c->wanted);
}

status check_begin(struct body_check *c, const struct response *r, error *err)
{
    if (c->wants && !c->by_server)
        return restart(c, err);
    if (!c->by_server && !r->repr_digest && !r->content_md5)
        return OK;
    check_close(c);
    c->wants = c->by_server = read_headers(c, r);
    return c->wants ? restart(c, err) : OK;
}

status check_catch_up(struct body_check *c, struct sink *from, int64_t offset, error *err)
{
    char *slice = malloc(SLICE);
    if (!slice)
        return fail(err, WEIR_NOMEM, "out of memory");
    int64_t missing = offset - c->at;
    size_t n = missing < (int64_t)SLICE ? (size_t)missing : SLICE;
    status st = from->type->read(from, slice, n, c->at, err);
    if (!st)
        check_add(c, slice, n);
    free(slice);
    return st;
}

status check_whole_body(const struct body_check *c, error *err)
{
    struct checksum found;
    char is[2 * CHECKSUM_MAX + 1], wanted[2 * CHECKSUM_MAX + 1];
    if (!c->state)
        return OK;
    checksum_value(c->state, &found);
    if (checksum_equal(&found, &c->wanted))
        return OK;
    checksum_hex(&found, is);
    checksum_hex(&c->wanted, wanted);
    return fail(err, WEIR_CHECKSUM, "%s of the body is %.16s..., %s says %.16s...",
                checksum_name(found.kind), is, c->by_server ? "the server" : "the list", wanted);
}

char *check_text(const struct body_check *c)
{
    char hex[2 * CHECKSUM_MAX + 1], *text = NULL;
    if (!c->state)
        return NULL;
    checksum_hex(&c->wanted, hex);
    return asprintf(&text, "%s=%s", checksum_name(c->wanted.kind), hex) < 0 ? NULL : text;
}
