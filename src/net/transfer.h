/* Net: HTTP exchanges, many at once, one thread a loop.
 *
 * A loop is one curl multi with its sockets in one epoll, a pool of easy handles, and one place to
 * wait: net_loop_wait. A transfer is one exchange on behalf of somebody; its owner is told by three
 * callbacks, all from within net_loop_wait, and never after transfer_cancel.
 *
 * This room is the only one that knows libcurl. It judges nothing but what only it can see: that
 * the framing of the answer was whole. Everything else (status, ranges, redirects, retries) is the
 * owner's.
 */
#ifndef WEIR_NET_TRANSFER_H
#define WEIR_NET_TRANSFER_H

#include "config/options.h"
#include "core/status.h"
#include "core/text.h"

/* An HTTP-date (RFC 9110 section 5.6.7) in seconds since the epoch, -1 when it is none. */
int64_t http_date(const char *text);

struct net_loop;
struct transfer;

struct net_loop_env {
    const struct options *options; /* of the run */
    size_t receive_buffer;         /* bytes a transfer */
    uint32_t transfers;            /* at most so many at once */
};

/* The head of an answer. Borrowed until on_head returns. */
struct response {
    int http_status;
    int64_t content_length; /* -1 = not announced */
    const char *location;   /* absolute redirect target, or NULL */
    bool bad_location;      /* there is one, but no URL can be made of it */
    const char *etag, *last_modified, *date, *content_range, *content_encoding, *retry_after,
        *content_disposition, *repr_digest, *content_md5, *accept_ranges; /* NULL = absent */
    bool repeated_length; /* Content-Length more than once with different values, or not a number */
    int64_t retry_after_ns;     /* parsed (RFC 9110 section 10.2.3), -1 = absent or not readable */
    const weir_header *headers; /* all, in order; filled only when the request asked for it */
    size_t header_count;
};

enum body_verdict {
    BODY_TAKE,  /* give it to on_data */
    BODY_DRAIN, /* read at most 64 KB and drop it, so that the connection can be used again */
    BODY_CUT    /* end the transfer here */
};

struct transfer_result {
    error error;        /* status OK: the exchange ended whole */
    int http_status;    /* 0: no answer */
    bool answered;      /* the head of an answer arrived */
    bool drained;       /* on_head said DRAIN or CUT: error tells of nothing but that */
    bool unframed;      /* the chunks made no sense: some of the bytes given may be none of it */
    int64_t body_bytes; /* given to on_data */
    bool send_failed;   /* the connection was lost, or refused more, before the body had gone */
    char address[64];   /* connected to, "" = none */
};

struct transfer_ops {
    enum body_verdict (*on_head)(void *owner, const struct response *r);
    /* false: cut the transfer. The owner may pause the transfer from here. */
    bool (*on_data)(void *owner, const char *data, size_t size);
    /* For requests with `upload`, else NULL. Up to `cap` bytes of the body; *got 0 is its end.
     * AGAIN: not now; transfer_resume asks again, so does what transfer_wait_readable waits for.
     * The owner may pause the transfer from here. Anything else cuts it. */
    status (*on_read)(void *owner, char *data, size_t cap, size_t *got);
    /* The body is to be sent again from byte 0: a kept connection turned out to be dead. */
    bool (*on_rewind)(void *owner);
    /* After the last byte of a body in chunks: appends "Name: value" of its trailer, or nothing. */
    void (*on_trailer)(void *owner, struct strbuf *out);
    /* The last call; the transfer is gone when it returns. */
    void (*on_end)(void *owner, const struct transfer_result *result);
};

struct transfer_request {
    const char *url;
    const struct options
        *options;       /* of the host; decides proxy, TLS, time-outs, credentials, headers */
    const char *method; /* NULL: GET, or POST where there is a body */
    const void *body;   /* borrowed until on_end; NULL: none */
    size_t body_size;
    bool upload;          /* the body comes from on_read instead; method NULL: PUT */
    int64_t upload_size;  /* -1 = unknown: it goes in chunks (RFC 9112 section 7.1) */
    bool upload_expect;   /* Expect: 100-continue, and a second's wait for it */
    bool upload_trailers; /* on_trailer has something to say */
    bool own_connection;  /* a new one: the body could not be sent again if a kept one were dead */
    const char *payload_sha256; /* of the body in hexadecimal, for signatures; NULL: not known */
    const char *headers;        /* more headers: "Name: value" NUL ... NUL; NULL = none */
    bool own_origin;      /* options' credentials and headers of the run may go to this origin */
    int64_t range_from;   /* > 0: Range: bytes=N- ... */
    int64_t range_to;     /* > 0: ... but only what is before this byte */
    const char *if_range; /* validator, or NULL */
    const char *if_none_match, *if_modified_since; /* validators, or NULL (RFC 9110 section 13.1) */
    bool want_headers;                             /* fill response.headers */
    bool from_public; /* the previous hop was a public address: a private one is refused */
    bool is_redirect; /* follows a redirect: a link-local address is refused */
};

status net_start(error *err); /* once a process, before anything else; reference counted */
void net_stop(void);
/* "libcurl/7.88.1", then what it is built on; NULL after the last. */
const char *net_library(size_t i);

status net_loop_open(struct net_loop **out, const struct net_loop_env *env, error *err);
void net_loop_close(struct net_loop *loop); /* takes NULL; cancels what is under way */
/* Waits until `until` (clock.h; 0 = only look) for sockets, timers or net_loop_wake, and runs
 * callbacks. */
void net_loop_wait(struct net_loop *loop, uint64_t until);
/* OK, or NOMEM with the reason: libcurl has lost its books, and nothing moves any more. What is
 * under way can only be cancelled. */
status net_loop_state(const struct net_loop *loop, error *err);
/* The one call that other threads may make. */
void net_loop_wake(struct net_loop *loop);

status transfer_start(struct net_loop *loop, const struct transfer_request *request,
                      const struct transfer_ops *ops, void *owner, struct transfer **out,
                      error *err);
/* Stops reading the body until transfer_resume; a pause never counts as a stall. Idempotent. What
 * libcurl has read already (at most receive_buffer) may still come to on_data. */
void transfer_pause(struct transfer *t);
void transfer_resume(struct transfer *t);
/* From now on `ops` hear of it, for another owner. From its own callbacks, or between them. */
void transfer_hand_over(struct transfer *t, const struct transfer_ops *ops, void *owner);
/* From on_read that answers AGAIN: the transfer is resumed when `fd` is readable or at its end.
 * False: this descriptor cannot be waited for. */
bool transfer_wait_readable(struct transfer *t, int fd);
/* Cuts it; no callback follows. Not from within on_end. */
void transfer_cancel(struct transfer *t);

#endif
