/* Life of a server; see server.h and weir.h. The caller's thread, but for the callbacks of the HTTP
 * daemon's workers.
 *
 * Stopping has an order: no connection may be suspended any more (wakeups), uploads that are whole
 * are committed, and only then is the daemon stopped, which aborts the program when it finds a
 * suspended connection. New connections are closed by our own policy rather than by quiescing the
 * daemon, because that races with a worker which has just reached its limit.
 */
#include "serve/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/reader.h"
#include "core/thread.h"
#include "serve/access_log.h"
#include "serve/exchange.h"
#include "serve/tls_files.h"
#include "serve/upload_commit.h"

#define POOL_BYTES ((size_t)16 << 10)        /* of a connection: the head of a request fits */
#define POOL_BYTES_UPLOAD ((size_t)64 << 10) /* and a piece of a body worth a system call */
#define THREADS_MAX 16
#define FILES_SPARE 64
#define TOKEN_MAX 4096

void server_warn(struct weir_server *s, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (s->on_warning)
        s->on_warning(text, s->warning_user);
}

static void warn_of_log(void *owner, const char *text)
{
    server_warn(owner, "%s", text);
}

/* ---- new ---- */

static status fail_token_file(const char *path, error *err)
{
    error why = err ? *err : (error){.message = "cannot be read"};
    return fail(err, WEIR_CONFIG, "serve.token: %s", *why.message ? why.message : path);
}

/* A token stands in the option, or alone on the first line of @FILE. */
static status read_token(struct weir_server *s, error *err)
{
    const char *given = s->options->serve_token;
    if (!given || !*given)
        return OK;
    s->token.max = TOKEN_MAX;
    if (given[0] != '@') {
        strbuf_adds(&s->token, given);
    } else {
        char text[TOKEN_MAX];
        size_t got = 0;
        struct reader *r = NULL;
        status st = reader_open_path(&r, given + 1, err);
        if (!st)
            st = r->type->read(r, text, sizeof text, &got, err);
        reader_close(r);
        if (st)
            return fail_token_file(given + 1, err);
        const char *newline = memchr(text, '\n', got);
        struct span line = span_trim((struct span){text, newline ? (size_t)(newline - text) : got});
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        strbuf_add(&s->token, line.p, line.n);
        explicit_bzero(text, sizeof text);
    }
    for (size_t i = 0; i < s->token.n; i++) /* RFC 6750 section 2.1 has fewer still */
        if (s->token.p[i] <= ' ' || s->token.p[i] > '~')
            return fail(err, WEIR_CONFIG,
                        "serve.token: holds a blank or a character that is not "
                        "ASCII, which no header can carry");
    if (s->token.n)
        return OK;
    return fail(err, WEIR_CONFIG, "serve.token: %s: its first line is empty; it shall be the token",
                given + (given[0] == '@'));
}

static status read_tls(struct weir_server *s, error *err)
{
    const struct options *o = s->options;
    bool cert = o->serve_tls_cert && *o->serve_tls_cert,
         key = o->serve_tls_key && *o->serve_tls_key;
    if (!cert && !key)
        return OK;
    if (!cert || !key)
        return fail(err, WEIR_CONFIG,
                    "TLS needs both: serve.tls_cert and serve.tls_key; %s is unset",
                    cert ? "serve.tls_key" : "serve.tls_cert");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return fail(err, WEIR_CONFIG,
                    "libmicrohttpd was built without TLS here; leave out "
                    "serve.tls_cert, or put a proxy in front");
    return tls_files_load(&s->tls_cert, &s->tls_key, o->serve_tls_cert, o->serve_tls_key, err);
}

static void init_locks(struct weir_server *s)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

weir_status weir_server_new(weir_server **out, weir_config *config, const char *dir,
                            weir_error *err)
{
    struct weir_server *s = calloc(1, sizeof *s);
    status st = OK;
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory for a server");
    s->dirfd = s->listener.fd = -1;
    init_locks(s);
    if (!config) {
        st = weir_config_new(&s->own_config, err);
        config = s->own_config;
    }
    if (!st) {
        s->options = config_options(config);
        s->dir = strdup(dir);
        st = s->dir ? fs_open_dir(&s->dirfd, dir, false, err)
                    : fail(err, WEIR_NOMEM, "out of memory for a server");
    }
    if (!st)
        st = read_token(s, err);
    if (!st)
        st = read_tls(s, err);
    if (st) {
        weir_server_free(s);
        return st;
    }
    s->sinks = (struct sink_env){.dirfd = s->dirfd,
                                 .dir = s->dir,
                                 .options = s->options,
                                 .buffer = (size_t)s->options->run_buffer};
    *out = s;
    return OK;
}

void weir_server_on_request(weir_server *s, void (*on_request)(const weir_request *, void *),
                            void *user)
{
    s->on_request = on_request;
    s->request_user = user;
}

void weir_server_on_warning(weir_server *s, void (*on_warning)(const char *, void *), void *user)
{
    s->on_warning = on_warning;
    s->warning_user = user;
}

/* ---- the callbacks of the daemon ---- */

static enum MHD_Result admit(void *server, const struct sockaddr *address, socklen_t size)
{
    struct weir_server *s = server;
    if (!atomic_load_explicit(&s->draining, memory_order_relaxed) &&
        clients_admit(&s->clients, address, size))
        return MHD_YES;
    pthread_mutex_lock(&s->lock);
    s->stats.refused++;
    pthread_mutex_unlock(&s->lock);
    return MHD_NO;
}

static void begin_link(struct weir_server *s, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!address || !fd)
        return;
    struct link *link = link_open(&s->clients, address->client_addr,
                                  sizeof(struct sockaddr_storage), connection, fd->connect_fd);
    if (link && !wakeups_add(&s->wakeups, link)) {
        link_close(&s->clients, link);
        link = NULL;
    }
    *context = link; /* without one every request is refused */
    int64_t idle = s->options->serve_idle_timeout;
    if (link && idle)
        wakeups_await_head(&s->wakeups, link, clock_now() + (uint64_t)idle);
}

static void on_connection(void *server, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct weir_server *s = server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin_link(s, connection, context);
    } else if (*context) {
        wakeups_remove(&s->wakeups, *context);
        link_close(&s->clients, *context);
        *context = NULL;
    }
}

/* Targets are decoded where they are judged: decoded here, %00 would cut them short. */
static size_t leave_escaped(void *server, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

/* ---- start ---- */

static unsigned choose_threads(const struct weir_server *s)
{
    long n =
        s->options->serve_threads ? (long)s->options->serve_threads : sysconf(_SC_NPROCESSORS_ONLN);
    /* Two at least, so that one that waits for a disk does not keep all clients waiting. */
    return n < 2 ? 2 : n > THREADS_MAX && !s->options->serve_threads ? THREADS_MAX : (unsigned)n;
}

/* A connection needs a socket, and a file. */
static unsigned choose_connections(struct weir_server *s, unsigned threads)
{
    struct rlimit limit;
    uint64_t wanted = (uint64_t)s->options->serve_max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < 2 * wanted + FILES_SPARE) {
        uint64_t fits = limit.rlim_cur > FILES_SPARE + 2 ? (limit.rlim_cur - FILES_SPARE) / 2 : 1;
        server_warn(s,
                    "only %llu files may be open at once: %llu connections are served instead of "
                    "%llu; raise ulimit -n",
                    (unsigned long long)limit.rlim_cur, (unsigned long long)fits,
                    (unsigned long long)wanted);
        wanted = fits;
    }
    return wanted < threads ? threads : (unsigned)wanted;
}

static unsigned idle_seconds(const struct weir_server *s)
{
    return (unsigned)((s->options->serve_idle_timeout + NS_PER_S - 1) / NS_PER_S);
}

static struct MHD_Daemon *start_daemon(struct weir_server *s)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    unsigned threads = choose_threads(s);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    if (server_is_tls(s))
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    size_t pool = s->options->serve_upload ? POOL_BYTES_UPLOAD : POOL_BYTES;
    return MHD_start_daemon(
        flags, 0, admit, s, exchange_step, s, MHD_OPTION_LISTEN_SOCKET, s->listener.fd,
        MHD_OPTION_CONNECTION_LIMIT, choose_connections(s, threads), MHD_OPTION_CONNECTION_TIMEOUT,
        idle_seconds(s), MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        pool, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, pool / 4, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_end, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static void warn_of_exposure(struct weir_server *s)
{
    const char *what = s->options->serve_upload ? "read and write" : "read";
    if (s->listener.loopback)
        return;
    if (!s->token.n)
        server_warn(s,
                    "whoever reaches %s may %s %s; ask for a token with --token, or listen on "
                    "127.0.0.1",
                    s->listener.authority, what, s->dir);
    else if (!server_is_tls(s))
        server_warn(s, "the token crosses the network in the clear; encrypt with --tls-cert and "
                       "--tls-key");
}

static status start_parts(struct weir_server *s, error *err)
{
    struct listen_address address;
    const struct options *o = s->options;
    status st = listen_address_parse(&address, o->serve_listen, err);
    if (!st)
        st = listener_open(&s->listener, &address, err);
    if (!st && o->serve_access_log && *o->serve_access_log) {
        struct access_log_setup setup = {.path = o->serve_access_log,
                                         .json = o->serve_log_format == LOG_FORMAT_JSON,
                                         .warn = warn_of_log,
                                         .owner = s};
        st = access_log_open(&s->log, &setup, err);
    }
    if (!st && o->serve_upload)
        st = upload_commit_start(&s->commits, s, err);
    return st ? st : wakeups_start(&s->wakeups, err);
}

/* The daemon's threads shall take no signals. */
static status start_daemon_quietly(struct weir_server *s, error *err)
{
    sigset_t before;
    thread_block_signals(&before);
    s->daemon = start_daemon(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->listener.fd = -1; /* the daemon's, also where it has failed */
    if (s->daemon)
        return OK;
    return fail(err, WEIR_NOMEM,
                "the HTTP daemon cannot be started: threads, memory or descriptors "
                "have run out");
}

weir_status weir_server_start(weir_server *s, weir_error *err)
{
    if (*s->url)
        return fail(err, WEIR_USAGE, "a server is started once");
    const struct options *o = s->options;
    clients_init(&s->clients, (uint32_t)o->serve_per_client, o->serve_client_bandwidth);
    status st = start_parts(s, err);
    /* Before there are workers: they read it. */
    snprintf(s->url, sizeof s->url, "http%s://%s/", server_is_tls(s) ? "s" : "",
             s->listener.authority);
    if (!st)
        st = start_daemon_quietly(s, err);
    if (st) {
        weir_server_stop(s);
        return st;
    }
    warn_of_exposure(s);
    return OK;
}

/* ---- while it runs, and the end ---- */

const char *weir_server_url(const weir_server *s)
{
    return s->url;
}

uint16_t weir_server_port(const weir_server *s)
{
    return s->listener.port;
}

void weir_server_get_stats(weir_server *s, weir_server_stats *out)
{
    uint32_t connections = s->daemon ? clients_connections(&s->clients) : 0;
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    out->under_way = s->under_way;
    pthread_mutex_unlock(&s->lock);
    out->connections = connections;
}

bool weir_server_drain(weir_server *s, int64_t timeout_ms)
{
    uint64_t until = clock_now() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * NS_PER_MS;
    struct timespec at = {.tv_sec = (time_t)(until / (uint64_t)NS_PER_S),
                          .tv_nsec = (long)(until % (uint64_t)NS_PER_S)};
    atomic_store(&s->draining, true);
    pthread_mutex_lock(&s->lock);
    while (s->under_way && pthread_cond_timedwait(&s->idle, &s->lock, &at) != ETIMEDOUT)
        ;
    bool idle = s->under_way == 0;
    pthread_mutex_unlock(&s->lock);
    return idle;
}

void weir_server_stop(weir_server *s)
{
    if (!s->options)
        return;
    atomic_store(&s->draining, true);
    bool timed = s->wakeups.started;
    wakeups_stop(&s->wakeups);
    upload_commit_stop(s->commits);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
    s->commits = NULL;
    if (timed) {
        wakeups_free(&s->wakeups);
        clients_free(&s->clients);
    }
    access_log_close(s->log);
    s->log = NULL;
    if (s->listener.fd >= 0)
        close(s->listener.fd);
    s->listener.fd = -1;
}

void weir_server_free(weir_server *s)
{
    if (!s)
        return;
    weir_server_stop(s);
    if (s->dirfd >= 0)
        close(s->dirfd);
    if (s->token.p)
        explicit_bzero(s->token.p, s->token.n);
    strbuf_free(&s->token);
    free(s->tls_cert);
    if (s->tls_key)
        explicit_bzero(s->tls_key, strlen(s->tls_key));
    free(s->tls_key);
    free(s->dir);
    weir_config_free(s->own_config);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
