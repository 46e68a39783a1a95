/* The floor under the rows of large files: a bare socket-to-file copy, one thread a file. It knows
 * no more of HTTP than a request and the end of the headers, checks nothing and syncs nothing.
 *
 *   bare_copy PORT DIR PATH...      GET http://127.0.0.1:PORT/PATH into DIR/last part of PATH
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (128 * 1024)
#define FILES_MAX 64

struct copy {
    pthread_t thread;
    unsigned short port;
    const char *dir, *path;
    long long body_bytes;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bare_copy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0)
            die("write");
        data += n;
        size -= (size_t)n;
    }
}

static int request(const struct copy *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", c->path);
    write_all(fd, text, (size_t)n);
    return fd;
}

static void *copy_one(void *arg)
{
    struct copy *c = arg;
    char name[1024];
    char *buffer = malloc(BUFFER_BYTES + 1);
    const char *slash = strrchr(c->path, '/');
    snprintf(name, sizeof name, "%s/%s", c->dir, slash ? slash + 1 : c->path);
    int in = request(c);
    int out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0 || !buffer)
        die(name);
    size_t have = 0;
    char *body = NULL;
    while (!body && have < BUFFER_BYTES) {
        ssize_t n = read(in, buffer + have, BUFFER_BYTES - have);
        if (n <= 0)
            die("reading the headers");
        have += (size_t)n;
        buffer[have] = '\0';
        body = strstr(buffer, "\r\n\r\n");
    }
    if (!body || strncmp(buffer, "HTTP/1.1 200", 12) != 0)
        die("answer is not 200");
    body += 4;
    size_t rest = have - (size_t)(body - buffer);
    write_all(out, body, rest);
    c->body_bytes = (long long)rest;
    ssize_t n;
    while ((n = read(in, buffer, BUFFER_BYTES)) > 0) {
        write_all(out, buffer, (size_t)n);
        c->body_bytes += n;
    }
    if (n < 0 || close(out) < 0)
        die(name);
    close(in);
    free(buffer);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct copy copies[FILES_MAX];
    int count = argc - 3;
    if (count < 1 || count > FILES_MAX) {
        fprintf(stderr, "usage: bare_copy PORT DIR PATH... (at most %d)\n", FILES_MAX);
        return 2;
    }
    for (int i = 0; i < count; i++) {
        copies[i].port = (unsigned short)atoi(argv[1]);
        copies[i].dir = argv[2];
        copies[i].path = argv[i + 3];
        if (pthread_create(&copies[i].thread, NULL, copy_one, &copies[i]))
            die("pthread_create");
    }
    long long total = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(copies[i].thread, NULL);
        total += copies[i].body_bytes;
    }
    printf("%lld bytes\n", total);
    return 0;
}
