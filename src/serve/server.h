/* The server's insides, shared by the files of this room:
 *
 *   server.c          life of a server: new, start, drain, stop; the callbacks of the HTTP daemon
 *   exchange.c        one request from its head to its end: what is refused, and who answers
 *   serve_file.c      GET and HEAD: siblings, conditions, ranges
 *   body_stream.c     bodies that sendfile cannot send: several ranges, TLS, a bandwidth limit
 *   listing.c         folders, as HTML and JSON (listing_format.c)
 *   upload_request.c  PUT, through the file sink; upload_commit.c syncs and names, in groups
 *   clients.c         connections and limits by address; wakeups.c resumes those that wait
 *   access_log.c      one line a request
 *
 * Threads: serve.threads workers, which belong to the HTTP daemon (libmicrohttpd, an epoll each);
 * one that knows the time (wakeups.c); with uploads one that commits them; one that writes the
 * access log. A connection stays with its worker, so that an exchange needs no lock.
 *
 * Memory: a connection costs its part of the daemon's pool (16 KiB, 64 KiB with uploads) and an
 * exchange; a body costs nothing where sendfile sends it, else one buffer of 32 KiB.
 */
#ifndef WEIR_SERVE_SERVER_H
#define WEIR_SERVE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/options.h"
#include "core/text.h"
#include "serve/clients.h"
#include "serve/listen_address.h"
#include "serve/wakeups.h"
#include "sink/sink.h"

struct MHD_Daemon;
struct access_log;
struct upload_commit;

struct weir_server {
    weir_config *own_config; /* where the caller gave none */
    const struct options *options;
    char *dir; /* its name, for messages */
    int dirfd;
    struct strbuf token; /* empty = none is asked for */
    char *tls_cert, *tls_key;
    struct listener listener;
    char url[400];

    struct MHD_Daemon *daemon; /* NULL = not running */
    struct clients clients;
    struct wakeups wakeups;
    struct access_log *log;        /* or NULL */
    struct upload_commit *commits; /* NULL = no uploads */
    struct sink_env sinks;
    atomic_bool draining;       /* no new connections, and none is kept after its answer */
    atomic_size_t listed_bytes; /* held by sorted listings */

    void (*on_request)(const weir_request *request, void *user);
    void *request_user;
    void (*on_warning)(const char *text, void *user);
    void *warning_user;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    /* guarded by lock */
    weir_server_stats stats;
    uint64_t under_way; /* exchanges that have not ended */
};

static inline bool server_is_tls(const struct weir_server *s)
{
    return s->tls_cert != NULL;
}

/* Says what whoever runs the server should know. Any thread. */
void server_warn(struct weir_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
