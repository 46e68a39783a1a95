/* Where to listen: from the text of serve.listen to a socket. Any thread. */
#ifndef WEIR_SERVE_LISTEN_ADDRESS_H
#define WEIR_SERVE_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct listen_address {
    char host[256]; /* "" = all addresses */
    char port[8];
};

/* "127.0.0.1:8750", "[::1]:8750", "localhost:0", ":8750" and "*:8750" (all addresses), "8750"
 * (loopback). CONFIG. */
status listen_address_parse(struct listen_address *out, const char *text, error *err);

struct listener {
    int fd;
    char authority[320]; /* to be put into a URL: "127.0.0.1:8750"; of all addresses the host's name
                          */
    uint16_t port;
    bool loopback; /* nobody but this machine reaches it */
};

/* Binds and listens. DISK (local trouble) when it cannot; the message says why. */
status listener_open(struct listener *out, const struct listen_address *a, error *err);

#endif
