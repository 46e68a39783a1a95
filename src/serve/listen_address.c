/* See listen_address.h. The thread that starts the server. */
#include "serve/listen_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/text.h"

#define BACKLOG 1024

static status refuse(const char *text, error *err)
{
    struct strbuf shown = {0};
    strbuf_add_printable(&shown, span_of(text));
    status st = fail(err, WEIR_CONFIG,
                     "serve.listen: \"%s\" is no address; write ADDR:PORT, as in 127.0.0.1:8750 or "
                     "[::1]:8750, or :8750 for all addresses",
                     strbuf_text(&shown));
    strbuf_free(&shown);
    return st;
}

static bool is_port(const char *text)
{
    uint64_t n;
    return parse_uint64(span_of(text), &n) && n <= 65535 && strlen(text) <= 5;
}

status listen_address_parse(struct listen_address *out, const char *text, error *err)
{
    const char *colon = strrchr(text, ':'), *host = text;
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!colon && is_port(text)) {
        snprintf(out->host, sizeof out->host, "127.0.0.1");
        snprintf(out->port, sizeof out->port, "%s", text);
        return OK;
    }
    if (!colon || !is_port(colon + 1))
        return refuse(text, err);
    if (host[0] == '[') {
        if (n < 2 || host[n - 1] != ']')
            return refuse(text, err);
        host++, n -= 2;
    } else if (memchr(host, ':', n)) { /* an IPv6 address without brackets has no port */
        return refuse(text, err);
    }
    if (n >= sizeof out->host || memchr(host, '/', n))
        return refuse(text, err);
    bool all = n == 1 && host[0] == '*';
    snprintf(out->host, sizeof out->host, "%.*s", all ? 0 : (int)n, host);
    snprintf(out->port, sizeof out->port, "%s", colon + 1);
    return OK;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six); // NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult)
}

/* One socket for IPv4 and IPv6 where all addresses are meant. */
static int bind_one(const struct addrinfo *info, bool all)
{
    int yes = 1, only_six = !all;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_six, sizeof only_six);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int e = errno;
    close(fd);
    return -e;
}

static void describe(struct listener *out, bool all)
{
    struct sockaddr_storage bound = {0};
    struct sockaddr *a = (struct sockaddr *)&bound;
    socklen_t size = sizeof bound;
    char host[NI_MAXHOST] = "localhost", port[NI_MAXSERV] = "0";
    getsockname(out->fd, a, &size);
    getnameinfo(a, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    out->loopback = is_loopback(a);
    out->port = (uint16_t)strtoul(port, NULL, 10);
    bool any = all || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (any && gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    bool six = strchr(host, ':') != NULL;
    snprintf(out->authority, sizeof out->authority, "%s%.255s%s:%s", six ? "[" : "", host,
             six ? "]" : "", port);
}

static status fail_bind(const struct listen_address *a, int e, error *err)
{
    const char *way_out = e == EADDRINUSE ? "; another program listens there, choose another port "
                                            "with --listen, or 0 for a free one"
                          : e == EADDRNOTAVAIL ? "; this machine has no such address"
                          : e == EACCES ? "; ports below 1024 need more rights, choose a higher one"
                                        : "";
    char text[128];
    fail(err, WEIR_DISK, "%s:%s: cannot listen there: %s%s", *a->host ? a->host : "*", a->port,
         strerror_r(e, text, sizeof text), way_out);
    if (err)
        err->sys_errno = e;
    return WEIR_DISK;
}

status listener_open(struct listener *out, const struct listen_address *a, error *err)
{
    bool all = !*a->host;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_family = all ? AF_INET6 : AF_UNSPEC};
    struct addrinfo *list = NULL;
    int fd = -EAFNOSUPPORT;
    for (int round = 0; round < 2 && fd < 0; round++) {
        int rc = getaddrinfo(all ? NULL : a->host, a->port, &hints, &list);
        if (rc)
            return fail(err, WEIR_CONFIG, "serve.listen: %s: %s", a->host, gai_strerror(rc));
        for (const struct addrinfo *i = list; i && fd < 0; i = i->ai_next)
            fd = bind_one(i, all);
        freeaddrinfo(list);
        if (!all || fd != -EAFNOSUPPORT)
            break;
        hints.ai_family = AF_INET; /* a kernel without IPv6 */
    }
    if (fd < 0)
        return fail_bind(a, -fd, err);
    out->fd = fd;
    describe(out, all);
    return OK;
}
