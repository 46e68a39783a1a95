/* The body of a request, where its owner gives it piece by piece; see transfer.h. Runs on the
 * loop's thread, the callbacks from within libcurl.
 *
 * A pause is asked for by answering libcurl's next question with CURL_READFUNC_PAUSE, which costs
 * no byte. What has been given is not what has arrived: the system keeps megabytes of it. A stall
 * is therefore judged by what the other end has acknowledged.
 */
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "net/loop.h"

size_t transfer_give_body(char *data, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t got = 0;
    /* Who has refused is sent no more, whatever libcurl makes of "Connection: close". */
    if (t->dead || (t->phase == PHASE_BODY && t->head.http_status >= 300)) {
        t->send_failed = true;
        return CURL_READFUNC_ABORT;
    }
    status st = t->want_paused ? WEIR_AGAIN : t->ops->on_read(t->owner, data, size * count, &got);
    if (st == WEIR_AGAIN) {
        t->want_paused = t->paused = true;
        transfer_stop_clock(t);
        return CURL_READFUNC_PAUSE;
    }
    if (!st)
        return got;
    fail(&t->verdict, st, "%.*s: the sender stopped", (int)t->url.authority.n, t->url.authority.p);
    t->send_failed = true;
    return CURL_READFUNC_ABORT;
}

int transfer_seek_body(void *user, curl_off_t offset, int origin)
{
    struct transfer *t = user;
    if (t->dead || offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_FAIL;
    t->acknowledged = 0;
    return t->ops->on_rewind(t->owner) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int transfer_give_trailer(struct curl_slist **list, void *user)
{
    struct transfer *t = user;
    struct strbuf line = {0};
    bool whole = true;
    if (!t->dead)
        t->ops->on_trailer(t->owner, &line);
    if (line.n) {
        struct curl_slist *more = line.failed ? NULL : curl_slist_append(*list, line.p);
        whole = more != NULL;
        *list = more ? more : *list;
    }
    strbuf_free(&line);
    return whole ? CURL_TRAILERFUNC_OK : CURL_TRAILERFUNC_ABORT;
}

int64_t transfer_upload_progress(struct transfer *t)
{
    curl_off_t given = 0;
    int waiting = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &given);
    if (t->socket >= 0 && ioctl(t->socket, SIOCOUTQ, &waiting) == 0)
        given -= waiting;
    int64_t more = given - t->acknowledged;
    if (more <= 0)
        return 0;
    t->acknowledged = given;
    return more;
}

void transfer_stop_waiting(struct transfer *t)
{
    if (t->waits_for >= 0)
        loop_unwatch(t->loop, t->waits_for);
    t->waits_for = -1;
}

bool transfer_wait_readable(struct transfer *t, int fd)
{
    if (!loop_watch(t->loop, fd, t))
        return false;
    t->waits_for = fd;
    return true;
}
