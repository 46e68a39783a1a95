/* Signatures: against the published vectors of AWS Signature Version 4 (its test suite, and the
 * examples in the documentation of S3), and what the option says of provider, region and service.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/sigv4.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

struct vector {
    const char *name, *method, *host, *path, *query;
    const char *headers[8];
    const char *payload;
    const char *names, *signature;
};

#define FORM_PAYLOAD "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
#define SUITE_DATE "X-Amz-Date:20150830T123600Z"
#define SUITE_HOST "example.amazonaws.com"

/* Of the test suite: service "service", 20150830T123600Z. */
static const struct vector suite[] = {
    {"get-vanilla",
     "GET",
     SUITE_HOST,
     "/",
     "",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     SUITE_HOST,
     "/",
     "Param2=value2&Param1=value1",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key",
     "GET",
     SUITE_HOST,
     "/",
     "Param1=value1",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-utf8",
     "GET",
     SUITE_HOST,
     "/\xe1\x88\xb4",
     "",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-unreserved",
     "GET",
     SUITE_HOST,
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"post-vanilla",
     "POST",
     SUITE_HOST,
     "/",
     "",
     {SUITE_DATE},
     SIGV4_EMPTY,
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-x-www-form-urlencoded",
     "POST",
     SUITE_HOST,
     "/",
     "",
     {"Content-Type:application/x-www-form-urlencoded", SUITE_DATE},
     FORM_PAYLOAD,
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

#define S3_HOST "examplebucket.s3.amazonaws.com"
#define S3_DATE "x-amz-date: 20130524T000000Z"
#define S3_EMPTY "x-amz-content-sha256: " SIGV4_EMPTY
#define S3_PUT "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

/* Of the documentation of S3, "Authenticating Requests: Using the Authorization Header". */
static const struct vector s3[] = {
    {"GET object",
     "GET",
     S3_HOST,
     "/test.txt",
     "",
     {"Range: bytes=0-9", S3_EMPTY, S3_DATE},
     SIGV4_EMPTY,
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT object",
     "PUT",
     S3_HOST,
     "/test$file.text",
     "",
     {"Date: Fri, 24 May 2013 00:00:00 GMT", S3_DATE, "x-amz-storage-class: REDUCED_REDUNDANCY",
      "x-amz-content-sha256: " S3_PUT},
     S3_PUT,
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"the same path, encoded",
     "PUT",
     S3_HOST,
     "/test%24file.text",
     "",
     {"Date: Fri, 24 May 2013 00:00:00 GMT", S3_DATE, "x-amz-storage-class: REDUCED_REDUNDANCY",
      "x-amz-content-sha256: " S3_PUT},
     S3_PUT,
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET bucket lifecycle",
     "GET",
     S3_HOST,
     "/",
     "lifecycle",
     {S3_DATE, S3_EMPTY},
     SIGV4_EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET bucket",
     "GET",
     S3_HOST,
     "/",
     "prefix=J&max-keys=2",
     {S3_DATE, S3_EMPTY},
     SIGV4_EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void check(const struct vector *v, const char *scope_text, const char *id,
                  const char *secret, const char *time)
{
    struct sigv4_scope scope;
    struct strbuf out = {0}, wanted = {0};
    error err = {0};
    assert_int_equal(sigv4_read_scope(&scope, scope_text, &err), OK);
    struct sigv4_keys keys = {.id = span_of(id), .secret = span_of(secret)};
    struct sigv4_request r = {.method = v->method,
                              .host = span_of(v->host),
                              .path = span_of(v->path),
                              .query = span_of(v->query),
                              .headers = v->headers,
                              .payload = v->payload};
    snprintf(r.time, sizeof r.time, "%s", time);
    assert_int_equal(sigv4_sign(&out, &scope, &keys, &r, &err), OK);
    strbuf_addf(&wanted,
                "Authorization: AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%.*s/aws4_request, "
                "SignedHeaders=%s, Signature=%s",
                id, time, (int)scope.service.n, scope.service.p, v->names, v->signature);
    if (strcmp(strbuf_text(&out), strbuf_text(&wanted)) != 0)
        fail_msg("%s:\n is %s\n not %s", v->name, strbuf_text(&out), strbuf_text(&wanted));
    strbuf_free(&out);
    strbuf_free(&wanted);
}

static void published_vectors_are_met(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof suite / sizeof *suite; i++)
        check(&suite[i], "aws:amz:us-east-1:service", "AKIDEXAMPLE",
              "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z");
    for (size_t i = 0; i < sizeof s3 / sizeof *s3; i++)
        check(&s3[i], "aws:amz:us-east-1:s3", "AKIAIOSFODNN7EXAMPLE",
              "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z");
}

static void assert_scope(const char *text, const char *host, const char *env, const char *wanted)
{
    struct sigv4_scope s;
    error err = {0};
    char found[128];
    if (sigv4_read_scope(&s, text, &err))
        fail_msg("\"%s\" was refused: %s", text, err.message);
    sigv4_complete(&s, span_of(host), env);
    snprintf(found, sizeof found, "%.*s %.*s %.*s %.*s", (int)s.provider.n, s.provider.p,
             (int)s.prefix.n, s.prefix.p, (int)s.region.n, s.region.p, (int)s.service.n,
             s.service.p);
    assert_string_equal(found, wanted);
}

static void what_the_option_leaves_out_comes_from_the_host(void **state)
{
    (void)state;
    assert_scope("aws", "localhost", NULL, "aws amz us-east-1 s3");
    assert_scope("aws", "localhost", "eu-north-1", "aws amz eu-north-1 s3");
    assert_scope("aws:amz", "b.s3.eu-west-1.amazonaws.com", "eu-north-1", "aws amz eu-west-1 s3");
    assert_scope("aws", "s3-ap-south-1.amazonaws.com", NULL, "aws amz ap-south-1 s3");
    assert_scope("aws", "b.s3.amazonaws.com", NULL, "aws amz us-east-1 s3");
    assert_scope("aws:amz:eu-west-1:execute-api", "b.s3.x-1.amazonaws.com", NULL,
                 "aws amz eu-west-1 execute-api");
    assert_scope("osc", "localhost", "eu-west-2", "osc osc eu-west-2 s3");
}

static void a_scope_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ":amz", "aws:amz:a:b:c", "aws:amz:eu west:s3",
                                      "aws:amz:a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sigv4_scope s;
        error err = {0};
        assert_int_equal(sigv4_read_scope(&s, bad[i], &err), WEIR_CONFIG);
        assert_non_null(strstr(err.message, "http.aws_sigv4"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_met),
        cmocka_unit_test(what_the_option_leaves_out_comes_from_the_host),
        cmocka_unit_test(a_scope_that_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
