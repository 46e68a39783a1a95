/* The loop: one curl multi, one epoll, one place to wait. Runs on the thread that calls
 * net_loop_wait; only net_loop_wake comes from others.
 *
 * libcurl says through two callbacks which sockets it waits for and when it wants to be called; we
 * wait in epoll and call curl_multi_socket_action for what happened. The cost of an event is then
 * independent of how many transfers there are.
 *
 * libcurl takes a socket out of the waiting set at the end of each transfer and puts it in again at
 * the start of the next. Following that would cost two system calls a transfer. So epoll may know
 * more than libcurl asked for: a registration is widened at once, and narrowed only when an event
 * comes that nobody waits for. That needs to know when a descriptor dies, for its number comes
 * again; sockets that libcurl opens without asking us (the resolver's) are followed to the letter.
 *
 * When a call of the multi fails (memory was short while it kept its books), it is `broken`:
 * libcurl 7.88 has emptied a table of sockets then, and divides by its size at the next call, be it
 * the one that takes a transfer out. So neither the multi nor a handle in it is touched again. They
 * are left to the end of the process, but for their sockets, which are closed.
 */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 256

/* States of `wake`. The descriptor is written only when a thread found the loop WAITING: a loop
 * that runs looks at `wake` before it waits again. */
enum { AWAKE, WAITING, CALLED };

/* ------------------------------------------------------------------------------------------
 * Sockets
 */

static bool grow_sockets(struct net_loop *loop, size_t fd)
{
    size_t count = loop->socket_count ? loop->socket_count : 64;
    while (count <= fd)
        count *= 2;
    struct socket_entry *more = realloc(loop->sockets, count * sizeof *more);
    if (!more)
        return false;
    memset(more + loop->socket_count, 0, (count - loop->socket_count) * sizeof *more);
    loop->sockets = more;
    loop->socket_count = count;
    return true;
}

static struct socket_entry *socket_entry(struct net_loop *loop, curl_socket_t fd)
{
    if (fd < 0 || ((size_t)fd >= loop->socket_count && !grow_sockets(loop, (size_t)fd)))
        return NULL;
    return &loop->sockets[fd];
}

static int epoll_control(struct net_loop *loop, int op, int fd, uint8_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};
    return epoll_ctl(loop->epoll_fd, op, fd, &ev);
}

static void register_socket(struct net_loop *loop, int fd, struct socket_entry *e)
{
    if (e->registered == e->wanted)
        return;
    if (e->wanted == 0)
        epoll_control(loop, EPOLL_CTL_DEL, fd, 0);
    else if (epoll_control(loop, e->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, e->wanted) <
                 0 &&
             (errno == ENOENT || errno == EEXIST))
        epoll_control(loop, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, e->wanted);
    e->registered = e->wanted;
}

/* CURLMOPT_SOCKETFUNCTION */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct net_loop *loop = user;
    struct socket_entry *e = socket_entry(loop, fd);
    struct transfer *t = NULL;
    if (!e)
        return -1;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK && t && t->uploads)
        t->socket = what == CURL_POLL_REMOVE ? -1 : fd;
    e->wanted = (uint8_t)((what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0) |
                          (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0));
    if (!e->ours || (e->wanted & ~e->registered))
        register_socket(loop, fd, e);
    return 0;
}

curl_socket_t loop_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = user;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd < 0) {
        t->no_descriptors = errno == EMFILE || errno == ENFILE;
        return CURL_SOCKET_BAD;
    }
    struct socket_entry *e = socket_entry(t->loop, fd);
    if (!e) {
        close(fd);
        errno = ENOMEM;
        return CURL_SOCKET_BAD;
    }
    *e = (struct socket_entry){.ours = true};
    return fd;
}

int loop_close_socket(void *user, curl_socket_t fd)
{
    struct net_loop *loop = user;
    if (fd >= 0 && (size_t)fd < loop->socket_count)
        loop->sockets[fd] = (struct socket_entry){0};
    return close(fd);
}

/* Sources of uploads: waited for once, then taken out again. */
bool loop_watch(struct net_loop *loop, int fd, struct transfer *t)
{
    struct socket_entry *e = socket_entry(loop, fd);
    if (!e || e->waiting || e->registered || epoll_control(loop, EPOLL_CTL_ADD, fd, EPOLLIN) < 0)
        return false;
    e->waiting = t;
    return true;
}

void loop_unwatch(struct net_loop *loop, int fd)
{
    epoll_control(loop, EPOLL_CTL_DEL, fd, 0);
    loop->sockets[fd].waiting = NULL;
}

/* ------------------------------------------------------------------------------------------
 * Calling libcurl
 */

/* CURLMOPT_TIMERFUNCTION. The clock is read anew: libcurl does not tell again when it is called too
 * early. */
static int want_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct net_loop *loop = user;
    loop->curl_due = timeout_ms < 0    ? TIME_NEVER
                     : timeout_ms == 0 ? 0
                                       : clock_now() + (uint64_t)timeout_ms * NS_PER_MS;
    return 0;
}

void loop_check(struct net_loop *loop, CURLMcode code)
{
    if (code && !loop->broken)
        loop->broken = code;
}

status net_loop_state(const struct net_loop *loop, error *err)
{
    if (!loop->broken)
        return OK;
    return fail(err, WEIR_NOMEM, "libcurl cannot go on: %s", curl_multi_strerror(loop->broken));
}

static void socket_action(struct net_loop *loop, curl_socket_t fd, int events)
{
    if (loop->broken)
        return;
    loop->in_curl = true;
    loop->acting = fd;
    loop_check(loop, curl_multi_socket_action(loop->multi, fd, events, &loop->running));
    loop->acting = CURL_SOCKET_TIMEOUT;
    loop->in_curl = false;
    loop->acted = true;
}

/* Calls libcurl when its time has come. Should it forget to set the next time, it is asked. */
static void call_when_due(struct net_loop *loop)
{
    if (loop->curl_due > loop->now)
        return;
    loop->curl_due = TIME_NEVER;
    socket_action(loop, CURL_SOCKET_TIMEOUT, 0);
    long timeout_ms = -1;
    if (loop->curl_due == TIME_NEVER && loop->running > 0 && !loop->broken &&
        curl_multi_timeout(loop->multi, &timeout_ms) == CURLM_OK && timeout_ms >= 0)
        loop->curl_due = clock_now() + (uint64_t)(timeout_ms ? timeout_ms : 1) * NS_PER_MS;
}

static void handle_event(struct net_loop *loop, const struct epoll_event *ev)
{
    int fd = ev->data.fd;
    if (fd == loop->wake_fd)
        return;
    struct socket_entry *e = socket_entry(loop, fd);
    if (!e)
        return;
    if (e->waiting) {
        struct transfer *t = e->waiting;
        loop_unwatch(loop, fd);
        t->waits_for = -1;
        transfer_resume(t);
        return;
    }
    bool broken = ev->events & (EPOLLERR | EPOLLHUP);
    if (!(ev->events & e->wanted) && !(broken && e->wanted)) {
        register_socket(loop, fd, e);
        return;
    }
    int events = (ev->events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                 (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                 (ev->events & EPOLLERR ? CURL_CSELECT_ERR : 0);
    socket_action(loop, fd, events);
}

void loop_defer(struct net_loop *loop, struct transfer *t)
{
    if (t->deferred.next == &t->deferred)
        link_append(&loop->deferred, &t->deferred);
}

static bool has_deferred(const struct net_loop *loop)
{
    return loop->deferred.next != &loop->deferred;
}

/* Only what is there now: what comes meanwhile waits for the next round, so that an owner who
 * resumes whatever is paused cannot keep us here. */
static void run_deferred(struct net_loop *loop)
{
    if (!has_deferred(loop))
        return;
    struct link batch = loop->deferred;
    batch.prev->next = batch.next->prev = &batch;
    loop->deferred.prev = loop->deferred.next = &loop->deferred;
    while (batch.next != &batch) {
        struct link *l = batch.next;
        link_remove(l);
        transfer_run_deferred((struct transfer *)((char *)l - offsetof(struct transfer, deferred)));
    }
}

static void run_timers(struct net_loop *loop)
{
    struct timer *first;
    while ((first = timer_first(&loop->timers)) && first->at <= loop->now)
        transfer_timer_due((struct transfer *)((char *)first - offsetof(struct transfer, timer)));
}

static void read_messages(struct net_loop *loop)
{
    CURLMsg *message;
    int left;
    if (!loop->acted)
        return;
    loop->acted = false;
    if (loop->broken)
        return;
    while ((message = curl_multi_info_read(loop->multi, &left))) {
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK && t)
            transfer_finish(t, code);
    }
}

/* ------------------------------------------------------------------------------------------
 * Waiting
 */

/* A peer that has gone must not kill the process: libcurl writes to TLS connections without
 * MSG_NOSIGNAL, and CURLOPT_NOSIGNAL forbids it to ignore the signal for us. */
static void block_sigpipe(struct net_loop *loop)
{
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe_only, &before) == 0 && !sigismember(&before, SIGPIPE)) {
        loop->sigpipe_blocked = true;
        loop->thread = pthread_self();
    }
}

static void unblock_sigpipe(struct net_loop *loop)
{
    sigset_t pipe_only;
    struct timespec at_once = {0};
    if (!loop->sigpipe_blocked || !pthread_equal(loop->thread, pthread_self()))
        return;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    while (sigtimedwait(&pipe_only, NULL, &at_once) >= 0)
        ;
    pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
}

/* Milliseconds until something is due, rounded up; 0 = something is. */
static int time_to_wait(struct net_loop *loop, uint64_t until)
{
    const struct timer *first = timer_first(&loop->timers);
    uint64_t due = until;
    if (loop->curl_due < due)
        due = loop->curl_due;
    if (first && first->at < due)
        due = first->at;
    if (due == TIME_NEVER)
        return -1;
    if (due <= loop->now)
        return 0;
    uint64_t ms = (due - loop->now + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int wait_for_events(struct net_loop *loop, bool at_once, uint64_t until,
                           struct epoll_event *events)
{
    int timeout_ms = at_once ? 0 : time_to_wait(loop, until), state = AWAKE;
    if (timeout_ms && !atomic_compare_exchange_strong(&loop->wake, &state, WAITING))
        timeout_ms = 0;
    int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
    atomic_exchange(&loop->wake, AWAKE); /* and not a store: what the caller did is to be seen */
    return n;
}

void net_loop_wait(struct net_loop *loop, uint64_t until)
{
    struct epoll_event events[EVENTS_MAX];
    if (!loop->sigpipe_blocked)
        block_sigpipe(loop);
    loop->now = clock_now();
    run_deferred(loop);
    call_when_due(loop);
    /* Owners that have been called back may have something to do: they are not kept waiting. */
    bool at_once = loop->acted || has_deferred(loop);
    read_messages(loop);
    int n = wait_for_events(loop, at_once, until, events);
    loop->now = clock_now();
    for (int i = 0; i < n; i++)
        handle_event(loop, &events[i]);
    call_when_due(loop);
    run_deferred(loop);
    /* After the sockets: what has arrived while we were kept elsewhere is no stall. */
    run_timers(loop);
    read_messages(loop);
}

void net_loop_wake(struct net_loop *loop)
{
    uint64_t one = 1;
    if (atomic_exchange(&loop->wake, CALLED) != WAITING)
        return;
    /* Edge-triggered and never read: each write is an event. */
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ------------------------------------------------------------------------------------------
 * Opening and closing
 */

static status open_multi(struct net_loop *loop, error *err)
{
    long connections = loop->env.transfers;
    loop->multi = curl_multi_init();
    loop->share = curl_share_init();
    if (!loop->multi || !loop->share)
        return fail(err, WEIR_NOMEM, "no memory for libcurl's handles");
    CURLMcode code = curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    if (!code)
        code = curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    if (!code)
        code = curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    if (!code)
        code = curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    /* Idle connections give way to new ones: never more sockets than transfers, and a few in the
     * making (two addresses of a host tried side by side). */
    if (!code)
        code = curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, connections);
    if (!code)
        code = curl_multi_setopt(loop->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections + 4);
    if (code || curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
        return fail(err, WEIR_NOMEM, "libcurl cannot be set up: %s", curl_multi_strerror(code));
    return OK;
}

static status open_epoll(struct net_loop *loop, error *err)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return fail_errno(err, WEIR_NOMEM, errno, "epoll cannot be opened");
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = loop->wake_fd};
    if (loop->wake_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &ev) < 0)
        return fail_errno(err, WEIR_NOMEM, errno, "an eventfd cannot be opened");
    return OK;
}

status net_loop_open(struct net_loop **out, const struct net_loop_env *env, error *err)
{
    struct net_loop *loop = calloc(1, sizeof *loop);
    const struct profile *own;
    if (!loop)
        return fail(err, WEIR_NOMEM, "no memory for a network loop");
    loop->env = *env;
    loop->usual_bytes = (int64_t)env->receive_buffer;
    if (loop->env.transfers == 0)
        loop->env.transfers = 1;
    loop->epoll_fd = loop->wake_fd = -1;
    loop->curl_due = TIME_NEVER;
    loop->deferred.prev = loop->deferred.next = &loop->deferred;
    atomic_init(&loop->wake, AWAKE);
    status st = proxy_env_read(&loop->proxy_env, err);
    if (!st)
        st = open_epoll(loop, err);
    if (!st)
        st = open_multi(loop, err);
    /* So that settings which cannot work are known before the first request. */
    if (!st)
        st = profile_find(&own, loop, env->options, true, err);
    if (st) {
        net_loop_close(loop);
        return st;
    }
    *out = loop;
    return OK;
}

static void close_multi(struct net_loop *loop)
{
    if (loop->multi)
        curl_multi_cleanup(loop->multi); /* closes the idle connections through loop_close_socket */
    if (loop->share)
        curl_share_cleanup(loop->share);
    if (loop->cookie_share)
        curl_share_cleanup(loop->cookie_share);
}

/* Of a multi that is broken. */
static void close_sockets(const struct net_loop *loop)
{
    for (size_t fd = 0; fd < loop->socket_count; fd++)
        if (loop->sockets[fd].ours)
            close((int)fd);
}

void net_loop_close(struct net_loop *loop)
{
    if (!loop)
        return;
    handle_pool_close(loop);
    if (loop->broken)
        close_sockets(loop);
    else
        close_multi(loop);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    unblock_sigpipe(loop);
    proxy_env_free(&loop->proxy_env);
    timer_heap_free(&loop->timers);
    free(loop->sockets);
    free(loop);
}
