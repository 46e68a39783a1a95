/* See clients.h. Workers of the HTTP daemon. */
#include "serve/clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* So many more than serve.per_client are accepted and answered with 503; what comes beyond is
 * closed unheard. */
#define TOLD 16

void clients_init(struct clients *c, uint32_t per_client, double bandwidth)
{
    *c = (struct clients){.per_client = per_client, .bandwidth = bandwidth};
    pthread_mutex_init(&c->lock, NULL);
}

void clients_free(struct clients *c)
{
    for (size_t i = 0; i < CLIENT_BUCKETS; i++) {
        while (c->buckets[i]) {
            struct client *next = c->buckets[i]->next;
            free(c->buckets[i]);
            c->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&c->lock);
}

static uint64_t key_of(const struct sockaddr *address, socklen_t size)
{
    uint64_t key = 0;
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        memcpy(&key, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return key;
    }
    if (address->sa_family != AF_INET6 || size < sizeof(struct sockaddr_in6))
        return key;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six))
        memcpy(&key, six->s6_addr + 12, 4);
    else
        memcpy(&key, six->s6_addr, 8);
    return key;
}

static struct client **bucket_of(struct clients *c, uint64_t key)
{
    return &c->buckets[hash64(&key, sizeof key) % CLIENT_BUCKETS];
}

static struct client *find_locked(struct clients *c, uint64_t key)
{
    struct client *client = *bucket_of(c, key);
    while (client && client->key != key)
        client = client->next;
    return client;
}

bool clients_admit(struct clients *c, const struct sockaddr *address, socklen_t size)
{
    pthread_mutex_lock(&c->lock);
    const struct client *client = find_locked(c, key_of(address, size));
    bool fine = !client || client->connections < c->per_client + TOLD;
    pthread_mutex_unlock(&c->lock);
    return fine;
}

static struct client *take_locked(struct clients *c, uint64_t key)
{
    struct client *client = find_locked(c, key);
    if (!client) {
        struct client **bucket = bucket_of(c, key);
        client = calloc(1, sizeof *client);
        if (!client)
            return NULL;
        client->key = key;
        pacer_init(&client->pacer, c->bandwidth);
        client->next = *bucket;
        *bucket = client;
    }
    client->connections++;
    c->connections++;
    return client;
}

/* The last one takes it away. */
static void let_go_locked(struct clients *c, struct client *client)
{
    c->connections--;
    if (--client->connections)
        return;
    struct client **at = bucket_of(c, client->key);
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    free(client);
}

static void write_address(char *out, size_t cap, const struct sockaddr *address)
{
    const void *from =
        address->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    char text[INET6_ADDRSTRLEN];
    if (!inet_ntop(address->sa_family, from, text, sizeof text))
        snprintf(text, sizeof text, "-");
    bool mapped = strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.');
    snprintf(out, cap, "%s", mapped ? text + 7 : text);
}

struct link *link_open(struct clients *c, const struct sockaddr *address, socklen_t size,
                       struct MHD_Connection *connection, int fd)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->connection = connection;
    link->fd = fd;
    write_address(link->address, sizeof link->address, address);
    pthread_mutex_lock(&c->lock);
    link->client = take_locked(c, key_of(address, size));
    link->refused = link->client && link->client->connections > c->per_client;
    pthread_mutex_unlock(&c->lock);
    if (link->client)
        return link;
    free(link);
    return NULL;
}

void link_close(struct clients *c, struct link *link)
{
    if (!link)
        return;
    pthread_mutex_lock(&c->lock);
    let_go_locked(c, link->client);
    pthread_mutex_unlock(&c->lock);
    free(link);
}

uint32_t clients_connections(struct clients *c)
{
    pthread_mutex_lock(&c->lock);
    uint32_t n = c->connections;
    pthread_mutex_unlock(&c->lock);
    return n;
}
