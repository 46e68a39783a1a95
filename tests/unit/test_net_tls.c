/* TLS and HTTP/2 against nginx, with a certificate that this test makes by the openssl command.
 * Both have to be installed; without them the test fails rather than say nothing. */
#include "net_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct answer no_answers[] = {{NULL, NULL, CLOSE, 0}};

struct tls_test {
    struct net_test net;
    char folder[64];
    int port;
    pid_t nginx;
};

static pid_t spawn(const char *const *arguments)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    return pid;
}

static void make_certificate(const struct tls_test *t)
{
    char key[96], certificate[96];
    int outcome = -1;
    snprintf(key, sizeof key, "%s/key.pem", t->folder);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", t->folder);
    const char *const arguments[] = {"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:prime256v1",
                                     "-nodes",
                                     "-keyout",
                                     key,
                                     "-out",
                                     certificate,
                                     "-days",
                                     "2",
                                     "-subj",
                                     "/CN=127.0.0.1",
                                     "-addext",
                                     "subjectAltName=IP:127.0.0.1",
                                     NULL};
    pid_t pid = spawn(arguments);
    assert_int_equal(waitpid(pid, &outcome, 0), pid);
    if (outcome != 0)
        fail_msg("openssl could not make a certificate (is it installed?)");
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static bool answers_on(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return yes;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void start_nginx(struct tls_test *t)
{
    char text[2048], config[96];
    t->port = free_port();
    snprintf(config, sizeof config, "%s/nginx.conf", t->folder);
    snprintf(text, sizeof text,
             "daemon off; master_process off; pid %1$s/pid; error_log %1$s/error.log;\n"
             "events { worker_connections 64; }\n"
             "http { access_log off; client_body_temp_path %1$s/1; proxy_temp_path %1$s/2;\n"
             "fastcgi_temp_path %1$s/3; uwsgi_temp_path %1$s/4; scgi_temp_path %1$s/5;\n"
             "server { listen 127.0.0.1:%2$d ssl http2; root %1$s; ssl_certificate %1$s/cert.pem;\n"
             "ssl_certificate_key %1$s/key.pem; } }\n",
             t->folder, t->port);
    write_file(t->folder, "nginx.conf", text);
    write_file(t->folder, "page", "over TLS");
    const char *const arguments[] = {"nginx", "-p", t->folder, "-c", config, NULL};
    t->nginx = spawn(arguments);
    while (!answers_on(t->port)) {
        struct timespec pause = {0, 5 * NS_PER_MS};
        if (waitpid(t->nginx, NULL, WNOHANG) == t->nginx)
            fail_msg("nginx did not start (is it installed?); see %s/error.log", t->folder);
        nanosleep(&pause, NULL);
    }
}

static int set_up(void **state)
{
    struct tls_test *t = calloc(1, sizeof *t);
    assert_non_null(t);
    snprintf(t->folder, sizeof t->folder, "/tmp/weir-tls-XXXXXX");
    assert_non_null(mkdtemp(t->folder));
    assert_int_equal(chmod(t->folder, 0755), 0);
    make_certificate(t);
    start_nginx(t);
    net_test_open(&t->net, no_answers);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct tls_test *t = *state;
    char path[128];
    static const char *const names[] = {
        "key.pem", "cert.pem", "nginx.conf", "page", "pid", "error.log", "1", "2", "3", "4", "5"};
    net_test_close(&t->net);
    kill(t->nginx, SIGKILL);
    waitpid(t->nginx, NULL, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", t->folder, names[i]);
        remove(path);
    }
    rmdir(t->folder);
    free(t);
    return 0;
}

static void fetch(struct tls_test *t, struct got *g, const struct options *options)
{
    char url[96];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/page", t->port);
    struct transfer_request r = {.url = url, .options = options, .own_origin = true};
    start_request(&t->net, g, &r);
    wait_for_end(&t->net, g);
}

static void an_unknown_certificate_is_refused_unless_allowed(void **state)
{
    struct tls_test *t = *state;
    struct got refused = {0}, insecure = {0}, known = {0}, again = {0};
    struct options lax = t->net.options, trusting = t->net.options;
    char ca[96];
    snprintf(ca, sizeof ca, "%s/cert.pem", t->folder);
    lax.http_verify_tls = false;
    trusting.http_ca_file = ca;
    net_test_loop(&t->net);

    fetch(t, &refused, &t->net.options);
    assert_outcome(&refused, WEIR_TLS, "--ca-file FILE, or do without the check by --insecure");
    fetch(t, &insecure, &lax);
    assert_outcome(&insecure, OK, "");
    fetch(t, &known, &trusting);
    assert_outcome(&known, OK, "");
    assert_memory_equal(known.body, "over TLS", 8);
    /* The handle that trusted has to forget it. */
    fetch(t, &again, &t->net.options);
    assert_outcome(&again, WEIR_TLS, "certificate");
}

static void http2_carries_many_transfers(void **state)
{
    enum { N = 20 };
    struct tls_test *t = *state;
    static struct got g[N];
    char url[96];
    memset(g, 0, sizeof g);
    t->net.options.http_version = HTTP_VERSION_2;
    t->net.options.http_verify_tls = false;
    net_test_loop(&t->net);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/page", t->port);
    for (int i = 0; i < N; i++) {
        struct transfer_request r = {.url = url, .own_origin = true};
        start_request(&t->net, &g[i], &r);
    }
    for (int i = 0; i < N; i++) {
        wait_for_end(&t->net, &g[i]);
        assert_outcome(&g[i], OK, "");
        assert_int_equal(g[i].heads, 1);
        assert_memory_equal(g[i].body, "over TLS", 8);
    }
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(an_unknown_certificate_is_refused_unless_allowed),
        TLS_TEST(http2_carries_many_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
