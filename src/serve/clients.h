/* Who is connected: for each client its connections and the bytes it may have, and for each
 * connection what the server keeps of it.
 *
 * A client is an IPv4 address, or the first 64 bits of an IPv6 one, which is what one subscriber
 * is given. Any thread; one lock, held for a look-up.
 */
#ifndef WEIR_SERVE_CLIENTS_H
#define WEIR_SERVE_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "limit/bucket.h"
#include "net/timer_heap.h"

struct MHD_Connection;

struct client {
    uint64_t key;
    uint32_t connections; /* guarded by clients->lock */
    struct pacer pacer;
    struct client *next;
};

/* A connection, from accept to close. Its worker's, but for `timer` and what stands with it. */
struct link {
    struct client *client;
    struct MHD_Connection *connection;
    int fd;
    bool refused; /* one more than serve.per_client */
    char address[64];

    /* guarded by wakeups->lock */
    struct timer timer;
    uint64_t head_due;
    enum { LINK_IDLE, LINK_SUSPENDED, LINK_AWAITING_HEAD } state;
};

#define CLIENT_BUCKETS 1024

struct clients {
    pthread_mutex_t lock;
    struct client *buckets[CLIENT_BUCKETS]; /* guarded by lock */
    uint32_t connections;                   /* guarded by lock */
    uint32_t per_client;
    double bandwidth; /* bytes a second of each, 0 = unlimited */
};

void clients_init(struct clients *c, uint32_t per_client, double bandwidth);
void clients_free(struct clients *c);

/* May one more connection be taken? A few above the limit are, so that they can be told. */
bool clients_admit(struct clients *c, const struct sockaddr *address, socklen_t size);
/* NULL: out of memory. */
struct link *link_open(struct clients *c, const struct sockaddr *address, socklen_t size,
                       struct MHD_Connection *connection, int fd);
void link_close(struct clients *c, struct link *link);
uint32_t clients_connections(struct clients *c);

#endif
