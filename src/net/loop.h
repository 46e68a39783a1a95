/* Inside of net: what loop.c, handle_pool.c, transfer.c and failure.c share. Not for other rooms.
 *
 *   net_loop ── multi ── connections (libcurl's), their sockets in one epoll
 *      │
 *      ├── profiles     settings made of one `struct options`, for own or foreign origins
 *      ├── idle, all    transfers; each has an easy handle for life, set up for one profile
 *      ├── timers       one timer a transfer: connecting, stalling, its end, whichever comes first
 *      └── deferred     what was asked for from within libcurl, and waits until it has returned
 *
 * Everything belongs to the loop's thread, but `wake`.
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "net/proxy.h"
#include "net/response.h"
#include "net/timer_heap.h"
#include "net/transfer.h"
#include "net/url.h"

/* A ring without head of its own: a link that is alone points to itself. */
struct link {
    struct link *prev, *next;
};

struct profile {
    struct profile *next;
    const struct options *options;
    bool own_origin;
    bool cookies;
    struct curl_slist *headers; /* of http.header, for the own origin; NULL = none */
};

enum phase {
    PHASE_CONNECTING, /* resolving, connecting, shaking hands, asking a proxy */
    PHASE_SENT,       /* the request goes out, an answer is awaited */
    PHASE_BODY        /* the head has arrived */
};

enum credentials { CREDENTIALS_UNKNOWN, CREDENTIALS_NONE, CREDENTIALS_PROFILE, CREDENTIALS_URL };

/* libcurl allocates its buffer anew for each transfer: one larger than the body costs more than it
 * saves. A body that turns out larger still flows, in smaller reads. */
#define RECEIVE_SMALL 16384

#define STALL_TICKS 4 /* a stall is judged over so many pieces of http.stall_timeout */

struct transfer {
    /* for life */
    struct net_loop *loop;
    CURL *easy;
    struct transfer *all_next, *idle_next;
    char curl_text[CURL_ERROR_SIZE];

    /* what the easy handle is set to */
    const struct profile *profile;
    const struct curl_slist *headers;
    const char *proxy; /* NULL = none */
    CURLSH *share;
    enum credentials credentials;
    bool netrc;
    bool usual;               /* it asks by GET without a body */
    bool small_buffer;        /* receives into RECEIVE_SMALL bytes */
    bool worn;                /* to be reset before it is used again */
    struct curl_slist *nodes; /* headers of one request, into header_text and the profile's list */
    size_t node_cap;
    struct strbuf header_text, signature_text;

    /* one exchange */
    const struct transfer_ops *ops;
    void *owner;
    struct url url;
    struct head head;
    char address[64];
    error verdict; /* ours, when we cut it; status OK otherwise */
    enum phase phase;
    bool added; /* the multi has it */
    bool dead;  /* cancelled from within libcurl; to be removed when it has returned */
    bool is_redirect, from_public;
    bool want_paused, paused; /* the owner's wish, and what libcurl was told */
    bool draining, cut;
    uint32_t sent_times; /* of the request: more than once when libcurl asked again */
    bool no_descriptors; /* the process had none left for a socket */
    bool soiled;         /* the handle was told not to use its connection again */
    int64_t body_bytes, dropped_bytes;
    struct link deferred;

    /* the body of the request, where it is pulled */
    bool uploads;
    bool send_failed;
    int socket;           /* over which it goes, -1 = not known yet */
    int waits_for;        /* a descriptor that has nothing to read yet, -1 = none */
    int64_t acknowledged; /* bytes that had arrived at the end of the last piece of the window */

    struct timer timer;
    uint64_t ends;      /* of the whole exchange, TIME_NEVER = open */
    uint64_t tick_at;   /* connecting: its end; then the end of a piece of the stall window */
    uint64_t tick_left; /* of that piece, while paused */
    uint64_t drain_until;
    int64_t seen_bytes; /* in this piece */
    int64_t tick_bytes[STALL_TICKS];
    uint32_t ticks;
};

struct socket_entry {
    uint8_t wanted;           /* EPOLLIN | EPOLLOUT that libcurl waits for */
    uint8_t registered;       /* what epoll has; may be more */
    bool ours;                /* opened by open_socket, so that close_socket will tell of its end */
    struct transfer *waiting; /* its source: no socket of libcurl's; NULL = none */
};

struct net_loop {
    struct net_loop_env env;
    CURLM *multi;
    CURLSH *share, *cookie_share; /* TLS sessions; the second one cookies as well */
    struct proxy_env proxy_env;
    const char *default_ca;
    int epoll_fd, wake_fd;
    uint64_t now;
    int64_t usual_bytes;          /* of a body, a moving average: what the next is likely to be */
    uint64_t curl_due;            /* when libcurl wants to be called without an event */
    int running;                  /* libcurl's count of unfinished handles */
    bool acted;                   /* libcurl has been called since its messages were read */
    bool in_curl;                 /* a call of libcurl that may call us back is under way */
    int acting;                   /* the socket that call is about, or CURL_SOCKET_TIMEOUT */
    CURLMcode broken;             /* what the multi has failed with: it is not called any more */
    struct socket_entry *sockets; /* by descriptor */
    size_t socket_count;
    struct timer_heap timers;
    struct profile *profiles; /* last used first */
    struct transfer *idle, *all;
    size_t transfer_count;
    struct link deferred;
    bool sigpipe_blocked; /* by us, on `thread` */
    pthread_t thread;
    atomic_int wake; /* enum in loop.c; any thread */
};

/* ---- handle_pool.c */

/* The settings for one set of options. CONFIG when they cannot be used. */
status profile_find(const struct profile **out, struct net_loop *loop,
                    const struct options *options, bool own_origin, error *err);
/* An idle transfer whose handle is set up for `profile`. */
status handle_take(struct transfer **out, struct net_loop *loop, const struct profile *profile,
                   error *err);
void handle_give_back(struct transfer *t);
/* Sets what changes from request to request; t->url has been parsed. */
status handle_prepare(struct transfer *t, const struct transfer_request *request, error *err);
void handle_pool_close(struct net_loop *loop);

/* ---- transfer.c */

/* Callbacks for libcurl; `user` is the transfer. */
size_t transfer_take_header(char *data, size_t size, size_t count, void *user);
size_t transfer_take_body(char *data, size_t size, size_t count, void *user);
int transfer_connected(void *user, char *address, char *local, int port, int local_port);

/* ---- transfer_upload.c, likewise */

size_t transfer_give_body(char *data, size_t size, size_t count, void *user);
int transfer_seek_body(void *user, curl_off_t offset, int origin);
int transfer_give_trailer(struct curl_slist **list, void *user);
/* Waits for the source of the body no more, if it did. */
void transfer_stop_waiting(struct transfer *t);
/* Bytes of the body that have arrived at the other end since it was last asked. */
int64_t transfer_upload_progress(struct transfer *t);

void transfer_run_deferred(struct transfer *t);
void transfer_timer_due(struct transfer *t);
/* The clock of a stall stands still as long as a transfer is paused. */
void transfer_stop_clock(struct transfer *t);
/* libcurl is done with it. Takes it from the multi, and tells the owner. */
void transfer_finish(struct transfer *t, CURLcode code);
/* Takes it from the multi, closing its connection if it was under way, and back to the pool. */
void transfer_release(struct transfer *t);

/* ---- loop.c */

/* `user`: the transfer, the loop. */
curl_socket_t loop_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address);
int loop_close_socket(void *user, curl_socket_t fd);
void loop_defer(struct net_loop *loop, struct transfer *t);
/* Notes what a call of the multi has answered. */
void loop_check(struct net_loop *loop, CURLMcode code);
/* Resumes `t` once when fd is readable. False: it cannot be waited for, or somebody does. */
bool loop_watch(struct net_loop *loop, int fd, struct transfer *t);
void loop_unwatch(struct net_loop *loop, int fd);

static inline void link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = l;
}

static inline void link_append(struct link *ring, struct link *l)
{
    l->prev = ring->prev;
    l->next = ring;
    ring->prev->next = l;
    ring->prev = l;
}

#endif
