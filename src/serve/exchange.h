/* One request and its answer. Its connection's worker; see server.h for who does what.
 */
#ifndef WEIR_SERVE_EXCHANGE_H
#define WEIR_SERVE_EXCHANGE_H

#include <microhttpd.h>

#include "serve/precondition.h"
#include "serve/request_path.h"
#include "serve/server.h"

struct upload;

/* An answer that was decided before the body of the request was there. Texts are constants. */
struct refusal {
    int status; /* 0 = none */
    const char *text;
};

struct exchange {
    struct weir_server *server;
    struct link *link;
    struct MHD_Connection *connection;
    const char *method, *protocol; /* borrowed from the daemon; NULL until the head is here */
    char *target;                  /* as sent, with the query */
    struct request_path path;
    struct conditions conditions;
    struct refusal refusal;
    struct upload *upload; /* or NULL */
    uint64_t begun;
    int64_t discarded; /* bytes of a body that nobody wants */

    int status;            /* of the answer, 0 = none yet */
    int64_t length;        /* of its body */
    int64_t sent;          /* counted by whoever makes the body ... */
    bool by_sendfile;      /* ... or asked of the socket at the end */
    uint64_t acked_before; /* by the client, before this body */
    int64_t received;      /* body of a PUT */
};

/* The callbacks of the daemon. */
void *exchange_begin(void *server, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *server, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **context);
void exchange_end(void *server, struct MHD_Connection *connection, void **context,
                  enum MHD_RequestTerminationCode code);

/* Notes why the request is refused; returns false. */
bool exchange_refuse(struct exchange *x, int http_status, const char *text);
/* A body is about to go out by sendfile: what went out is asked of the socket at the end. */
void exchange_sends_file(struct exchange *x);
/* Nothing more will come: what was sent has been read, and the stream has ended. */
bool exchange_client_has_left(const struct exchange *x);
/* A field of the request; NULL = absent. */
const char *exchange_field(const struct exchange *x, const char *name);
bool exchange_is_head(const struct exchange *x);

#endif
