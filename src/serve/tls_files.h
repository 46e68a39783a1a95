/* The certificate and the key of serve.tls_cert and serve.tls_key. The thread that makes the
 * server. */
#ifndef WEIR_SERVE_TLS_FILES_H
#define WEIR_SERVE_TLS_FILES_H

#include "core/status.h"

/* Reads both files, PEM, and sees that they belong together: the HTTP daemon would only say that it
 * cannot start. *cert and *key are the caller's to free. CONFIG. */
status tls_files_load(char **cert, char **key, const char *cert_file, const char *key_file,
                      error *err);

#endif
