/* What tests of the engine share: the project's fault server, and a configuration that does not
 * wait. Included first; cmocka comes with it. */
#ifndef WEIR_TESTS_ENGINE_FIXTURE_H
#define WEIR_TESTS_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/stage.h"
#include "weir/weir.h"

#include <cmocka.h>

struct server {
    pid_t pid;
    int input; /* its end stops the server */
    int port;
};

static int start_server(void **state)
{
    static struct server s;
    int in[2], out[2];
    if (pipe(in) || pipe(out))
        return -1;
    s.pid = fork();
    if (s.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl(WEIR_FAULTD, "faultd", "--port", "0", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    FILE *told = fdopen(out[0], "r");
    if (!told || fscanf(told, "PORT %d", &s.port) != 1)
        return -1;
    fclose(told);
    s.input = in[1];
    *state = &s;
    return 0;
}

static int stop_server(void **state)
{
    struct server *s = *state;
    close(s->input);
    return waitpid(s->pid, NULL, 0) == s->pid ? 0 : -1;
}

/* A URL of the server; eight may be in use at a time. */
static const char *page_of(const struct server *s, const char *path)
{
    static char texts[8][320];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "http://127.0.0.1:%d/%s", s->port, path);
    return text;
}

static weir_config *quick_config(void)
{
    weir_config *config = NULL;
    weir_error err;
    assert_int_equal(weir_config_new(&config, &err), WEIR_OK);
    assert_int_equal(weir_config_set(config, "retry.backoff", "5ms", &err), WEIR_OK);
    return config;
}

#endif
