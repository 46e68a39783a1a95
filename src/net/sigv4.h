/* Signatures of requests as S3-style stores want them: AWS Signature Version 4, with the names of
 * other providers where they keep to it. Pure but for OpenSSL; any thread.
 *
 * libcurl has CURLOPT_AWS_SIGV4, but in 7.88 it signs path and query as they are written (a store
 * compares what they mean, in one canonical spelling and order), takes the body of an upload for
 * empty, and sends no x-amz-content-sha256.
 */
#ifndef WEIR_NET_SIGV4_H
#define WEIR_NET_SIGV4_H

#include "core/status.h"
#include "core/text.h"

/* "aws:amz:eu-west-1:s3": provider, prefix of its headers, region, service. */
struct sigv4_scope {
    struct span provider, prefix, region, service; /* n == 0: not said */
};

struct sigv4_keys {
    struct span id, secret;
    struct span token; /* n == 0: none */
};

/* Reads the option; parts that are not said are left empty, but the prefix, which is "amz" for
 * "aws" and else the provider's name. CONFIG: it cannot be read. */
status sigv4_read_scope(struct sigv4_scope *out, const char *text, error *err);
/* What the host says of region and service, where the option does not: of the form
 * [BUCKET.]s3[.-]REGION.amazonaws.com; then AWS_REGION's value `region` (may be NULL), else
 * us-east-1, and s3. */
void sigv4_complete(struct sigv4_scope *scope, struct span host, const char *region);

struct sigv4_request {
    const char *method;
    struct span host;           /* as in the Host header, with the port where that has it */
    struct span path;           /* as it stands in the request */
    struct span query;          /* without '?'; n == 0: none */
    const char *const *headers; /* "Name: value"; those that need it are signed, NULL ends them */
    const char *payload;        /* SHA-256 of the body in hexadecimal, or UNSIGNED-PAYLOAD */
    char time[17];              /* "20150830T123600Z" */
};

/* Appends "Authorization: ...". The request must carry the date, and for s3 the payload's digest,
 * among its headers. */
status sigv4_sign(struct strbuf *out, const struct sigv4_scope *scope,
                  const struct sigv4_keys *keys, const struct sigv4_request *request, error *err);

#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#endif
