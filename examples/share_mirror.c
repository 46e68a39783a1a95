/* Shares a mirror with other machines, and counts what each of them has taken.
 *
 *   share_mirror DIR [ADDR:PORT [TOKEN-FILE]]      until Ctrl-C
 *
 * The server has threads of its own; this program only waits, and adds up the requests that ended.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

enum { GUESTS = 64 };

struct tally {
    pthread_mutex_t lock;
    struct {
        char address[64];
        int64_t bytes;
        uint64_t files;
    } guests[GUESTS];
    int n;
};

/* On any of the server's threads. */
static void count(const weir_request *r, void *user)
{
    struct tally *t = user;
    int i = 0;
    pthread_mutex_lock(&t->lock);
    while (i < t->n && strcmp(t->guests[i].address, r->client) != 0)
        i++;
    if (i < GUESTS) {
        if (i == t->n)
            snprintf(t->guests[t->n++].address, sizeof t->guests[i].address, "%s", r->client);
        t->guests[i].bytes += r->bytes;
        t->guests[i].files += r->status == 200 && !r->aborted;
    }
    pthread_mutex_unlock(&t->lock);
}

static void warn(const char *text, void *user)
{
    (void)user;
    fprintf(stderr, "share_mirror: %s\n", text);
}

static void wait_for_ctrl_c(const sigset_t *set)
{
    int number;
    sigwait(set, &number);
}

int main(int argc, char **argv)
{
    struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER};
    weir_config *config = NULL;
    weir_server *server = NULL;
    weir_error err = {0};
    weir_status st;
    sigset_t set;
    char token[4096];

    if (argc < 2) {
        fprintf(stderr, "usage: share_mirror DIR [ADDR:PORT [TOKEN-FILE]]\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    snprintf(token, sizeof token, "@%s", argc > 3 ? argv[3] : "");
    if ((st = weir_config_new(&config, &err)) ||
        (argc > 2 && (st = weir_config_set(config, "serve.listen", argv[2], &err))) ||
        (argc > 3 && (st = weir_config_set(config, "serve.token", token, &err))) ||
        (st = weir_server_new(&server, config, argv[1], &err)))
        goto out;
    weir_server_on_request(server, count, &tally);
    weir_server_on_warning(server, warn, NULL);
    if ((st = weir_server_start(server, &err)))
        goto out;
    printf("%s\n", weir_server_url(server));
    fflush(stdout);
    wait_for_ctrl_c(&set);
    weir_server_drain(server, 10000);
    weir_server_stop(server);
    for (int i = 0; i < tally.n; i++)
        printf("%s\t%" PRIu64 " files\t%" PRId64 " bytes\n", tally.guests[i].address,
               tally.guests[i].files, tally.guests[i].bytes);
out:
    if (st)
        fprintf(stderr, "share_mirror: %s\n", err.message);
    weir_server_free(server);
    weir_config_free(config);
    return st ? 2 : 0;
}
