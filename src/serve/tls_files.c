/* See tls_files.h. */
#include "serve/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/reader.h"

#define FILE_MAX ((size_t)1 << 20)

static status read_file(char **out, const char *path, const char *option, error *err)
{
    struct reader *r = NULL;
    size_t n = 0, got = 1;
    char *text = malloc(FILE_MAX + 1);
    status st = text ? reader_open_path(&r, path, err)
                     : fail(err, WEIR_NOMEM, "out of memory for %s", path);
    while (!st && got && n < FILE_MAX) {
        st = r->type->read(r, text + n, FILE_MAX - n, &got, err);
        n += st ? 0 : got;
    }
    reader_close(r);
    if (st) {
        error why = err ? *err : (error){0};
        free(text);
        return fail(err, st == WEIR_NOMEM ? st : WEIR_CONFIG, "%s: %s", option, why.message);
    }
    text[n] = '\0';
    char *fitting = realloc(text, n + 1);
    *out = fitting ? fitting : text;
    return OK;
}

/* A key that is encrypted would be asked for on the terminal. */
static int no_password(char *out, int size, int writing, void *context)
{
    return -1;
}

static status check(const char *cert, const char *key, const char *cert_file, const char *key_file,
                    error *err)
{
    status st = OK;
    BIO *c = BIO_new_mem_buf(cert, -1), *k = BIO_new_mem_buf(key, -1);
    X509 *x = c ? PEM_read_bio_X509(c, NULL, no_password, NULL) : NULL;
    EVP_PKEY *p = k ? PEM_read_bio_PrivateKey(k, NULL, no_password, NULL) : NULL;
    if (!x)
        st = fail(err, WEIR_CONFIG, "serve.tls_cert: %s holds no certificate in PEM form",
                  cert_file);
    else if (!p)
        st =
            fail(err, WEIR_CONFIG,
                 "serve.tls_key: %s holds no private key in PEM form without a password", key_file);
    else if (!X509_check_private_key(x, p))
        st = fail(err, WEIR_CONFIG, "serve.tls_key: %s is not the key of the certificate in %s",
                  key_file, cert_file);
    EVP_PKEY_free(p);
    X509_free(x);
    BIO_free(k);
    BIO_free(c);
    ERR_clear_error();
    return st;
}

status tls_files_load(char **cert, char **key, const char *cert_file, const char *key_file,
                      error *err)
{
    char *c = NULL, *k = NULL;
    status st = read_file(&c, cert_file, "serve.tls_cert", err);
    if (!st)
        st = read_file(&k, key_file, "serve.tls_key", err);
    if (!st)
        st = check(c, k, cert_file, key_file, err);
    if (st) {
        free(c);
        free(k);
        return st;
    }
    *cert = c;
    *key = k;
    return OK;
}
