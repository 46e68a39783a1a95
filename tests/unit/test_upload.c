/* Uploads: what a source gives and when it can be read again, a file that changes, the URL of a
 * name, folders as lists; and a program that sends what its callback reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/upload.h"
#include "net/url_name.h"
#include "source/tree_walk.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

/* ---- files ---- */

static int make_folder(void **state)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/weir_test_upload_XXXXXX");
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    return system(command);
}

static const char *path_in(void **state, const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", (char *)*state, name);
    return path;
}

static const char *write_file(void **state, const char *name, const char *text)
{
    const char *path = path_in(state, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static struct job *job_for(const char *path)
{
    struct job_text text = {.url = "http://127.0.0.1/", .upload = path};
    struct job *job = job_new(&text);
    assert_non_null(job);
    return job;
}

/* All of it as text, in pieces of `cap`; the status that ended it. */
static status read_all(struct upload *u, size_t cap, char *out, size_t room, error *err)
{
    size_t n = 0, got = 1;
    status st = OK;
    out[0] = '\0';
    while (!st && got) {
        char piece[64];
        assert_true(cap <= sizeof piece);
        st = upload_read(u, piece, cap, &got, err);
        if (st)
            break;
        assert_true(got <= cap && n + got < room);
        memcpy(out + n, piece, got);
        n += got;
        out[n] = '\0';
    }
    return st;
}

static void a_file_is_read_as_often_as_needed(void **state)
{
    struct job *job = job_for(write_file(state, "f", "0123456789"));
    struct upload u;
    error err;
    char text[64];
    assert_int_equal(upload_open(&u, job, &err), OK);
    assert_int_equal(u.size, 10);
    for (size_t cap = 1; cap < 16; cap += 3) {
        assert_int_equal(read_all(&u, cap, text, sizeof text, &err), OK);
        assert_string_equal(text, "0123456789");
        assert_true(upload_repeats(&u));
        assert_int_equal(upload_rewind(&u, &err), OK);
    }
    upload_close(&u);
    job_free(job);
}

static void a_file_that_changes_is_told_before_its_last_byte(void **state)
{
    const char *const texts[] = {"012345678", "0123456789a", "01234567", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *path = write_file(state, "f", "0123456789");
        struct job *job = job_for(path);
        struct upload u;
        error err;
        char piece[64];
        size_t got;
        assert_int_equal(upload_open(&u, job, &err), OK);
        assert_int_equal(upload_read(&u, piece, 5, &got, &err), OK);
        write_file(state, "f", texts[i]);
        char text[64];
        assert_int_equal(read_all(&u, 3, text, sizeof text, &err), WEIR_CHECKSUM);
        assert_true(strlen(text) < 5);
        assert_non_null(strstr(err.message, "changed while it was sent"));
        /* as it is now it can be sent */
        assert_int_equal(upload_look_again(&u, &err), OK);
        assert_int_equal(upload_rewind(&u, &err), OK);
        assert_int_equal(read_all(&u, 3, text, sizeof text, &err), OK);
        assert_string_equal(text, texts[i]);
        upload_close(&u);
        job_free(job);
    }
}

static void a_pipe_is_read_once_and_never_waited_for(void **state)
{
    struct upload u;
    error err;
    char piece[64];
    size_t got;
    const char *path = path_in(state, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    struct job *job = job_for(path);
    assert_int_equal(upload_open(&u, job, &err), OK);
    assert_int_equal(u.size, -1);
    assert_int_equal(upload_read(&u, piece, sizeof piece, &got, &err), WEIR_AGAIN);
    int out = open(path, O_WRONLY);
    assert_int_equal(upload_read(&u, piece, sizeof piece, &got, &err), WEIR_AGAIN);
    assert_true(upload_repeats(&u));
    assert_int_equal(write(out, "abc", 3), 3);
    assert_int_equal(upload_read(&u, piece, sizeof piece, &got, &err), OK);
    assert_int_equal(got, 3);
    close(out);
    assert_int_equal(upload_read(&u, piece, sizeof piece, &got, &err), OK);
    assert_int_equal(got, 0);
    assert_false(upload_repeats(&u));
    assert_int_equal(upload_rewind(&u, &err), WEIR_INPUT);
    upload_close(&u);
    job_free(job);
}

static void what_cannot_be_sent_is_told_by_name(void **state)
{
    const char *const names[] = {"nothing", "."};
    const char *const said[] = {"No such file", "is a folder"};
    for (size_t i = 0; i < 2; i++) {
        struct job *job = job_for(path_in(state, names[i]));
        struct upload u;
        error err;
        assert_int_equal(upload_open(&u, job, &err), WEIR_INPUT);
        assert_non_null(strstr(err.message, said[i]));
        job_free(job);
    }
}

/* ---- names and folders ---- */

static void a_name_goes_below_a_url(void **state)
{
    static const char *const rows[][3] = {
        {"http://h/up/", "a", "http://h/up/a"},
        {"http://h/up", "a", "http://h/up/a"},
        {"http://h", "a/b", "http://h/a/b"},
        {"http://h/up/?q=1#part", "a b", "http://h/up/a%20b?q=1"},
        {"http://h/", "/x+%\xc3\xa9~", "http://h/x%2B%25%C3%A9~"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf out = {0};
        url_add_name(&out, span_of(rows[i][0]), span_of(rows[i][1]));
        assert_string_equal(strbuf_text(&out), rows[i][2]);
        strbuf_free(&out);
    }
    assert_true(url_wants_name(span_of("http://h")));
    assert_true(url_wants_name(span_of("http://h/a/")));
    assert_true(url_wants_name(span_of("http://h/a/?x=/")));
    assert_false(url_wants_name(span_of("http://h/a")));
    assert_false(url_wants_name(span_of("http://h/a?x=/")));
}

static void a_folder_is_a_list_of_its_files(void **state)
{
    struct source *source;
    struct record r;
    error err;
    unsigned found = 0;
    char dir[256];
    snprintf(dir, sizeof dir, "%s", path_in(state, "tree"));
    assert_int_equal(mkdir(dir, 0777), 0);
    assert_int_equal(mkdir(path_in(state, "tree/sub"), 0777), 0);
    write_file(state, "tree/sub/.h", "1");
    write_file(state, "tree/a", "2");
    write_file(state, "tree/b.part", "3");
    assert_int_equal(symlink("/etc/passwd", path_in(state, "tree/out")), 0);
    assert_int_equal(tree_open(&source, dir, "http://h/up", &err), OK);
    while (source_next(source, &r, &err) == OK) {
        struct strbuf url = {0};
        strbuf_add(&url, r.url.p, r.url.n);
        assert_int_equal(r.root, strlen(dir));
        if (strcmp(strbuf_text(&url), "http://h/up/a") == 0)
            found |= 1;
        else if (strcmp(strbuf_text(&url), "http://h/up/sub/.h") == 0)
            found |= 2;
        else
            fail_msg("%s", strbuf_text(&url));
        strbuf_free(&url);
    }
    assert_int_equal(found, 3);
    struct strbuf left = {0};
    assert_true(tree_left_out(source, &left));
    assert_non_null(strstr(strbuf_text(&left), "1 partial file (.part), 1 link"));
    strbuf_free(&left);
    source_close(source);
    assert_int_equal(tree_open(&source, path_in(state, "nothing"), "http://h", &err), WEIR_INPUT);
}

/* A link that takes the place of a file after it was listed leads nowhere. */
static void a_file_of_a_folder_is_opened_within_it(void **state)
{
    struct upload u;
    error err;
    mkdir(path_in(state, "within"), 0777);
    assert_int_equal(symlink("/etc/passwd", path_in(state, "within/f")), 0);
    struct job *job = job_for(path_in(state, "within/f"));
    job->upload_root = (uint32_t)strlen(path_in(state, "within"));
    assert_int_equal(upload_open(&u, job, &err), WEIR_INPUT);
    job_free(job);
}

/* ---- a program that sends ---- */

#define PIECES 5

struct sender {
    int given, rewinds;
    weir_result result;
    weir_error error;
};

static weir_status give(void *user, void *data, size_t capacity, size_t *got, weir_error *err)
{
    struct sender *s = user;
    *got = s->given < PIECES ? 3 : 0;
    memcpy(data, "abc", *got);
    s->given++;
    return WEIR_OK;
}

static weir_status give_trouble(void *user, void *data, size_t capacity, size_t *got,
                                weir_error *err)
{
    snprintf(err->message, sizeof err->message, "the disk of the program is gone");
    return WEIR_INPUT;
}

static weir_status begin_again(void *user, weir_error *err)
{
    struct sender *s = user;
    s->given = 0;
    s->rewinds++;
    return WEIR_OK;
}

static void note_end(const weir_result *result, void *user)
{
    struct sender *s = user;
    s->result = *result;
    s->error = *result->error;
}

/* A server on one connection at a time: the first `cuts` requests end in the middle of the body. */
struct sink_server {
    int fd, port, cuts;
    pthread_t thread;
    char body[256]; /* of the last request, as framed */
};

static void *serve_sink(void *arg)
{
    struct sink_server *s = arg;
    for (int n = 0;; n++) {
        char text[4096];
        size_t have = 0;
        int c = accept(s->fd, NULL, NULL);
        if (c < 0)
            return NULL;
        const char *body = NULL;
        while (have < sizeof text - 1) {
            ssize_t more = recv(c, text + have, sizeof text - 1 - have, 0);
            if (more <= 0)
                break;
            have += (size_t)more;
            text[have] = '\0';
            body = strstr(text, "\r\n\r\n");
            if (!body)
                continue;
            if (strstr(text, "100-continue") && have == (size_t)(body + 4 - text))
                send(c, "HTTP/1.1 100 Go on\r\n\r\n", 22, MSG_NOSIGNAL);
            if (n < s->cuts && strlen(body) > 6)
                break;
            if (strstr(body, "0\r\n\r\n") || strlen(body + 4) == 3 * PIECES)
                break;
        }
        if (n >= s->cuts && body) {
            snprintf(s->body, sizeof s->body, "%s", body + 4);
            const char *answer = "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";
            send(c, answer, strlen(answer), MSG_NOSIGNAL);
        }
        close(c);
    }
}

static void open_sink(struct sink_server *s, int cuts)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    *s = (struct sink_server){.cuts = cuts};
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &size), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve_sink, s), 0);
}

static void close_sink(struct sink_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static void send_once(struct sender *sender, const weir_upload *upload, int cuts,
                      struct sink_server *server)
{
    static const weir_callbacks callbacks = {.on_end = note_end};
    weir_config *config = NULL;
    weir_engine *engine = NULL;
    weir_error err;
    char url[64];
    open_sink(server, cuts);
    assert_int_equal(weir_config_new(&config, &err), WEIR_OK);
    assert_int_equal(weir_config_set(config, "retry.backoff", "5ms", &err), WEIR_OK);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/f", server->port);
    weir_job job = {.url = url, .upload = upload, .callbacks = &callbacks, .user = sender};
    assert_int_equal(weir_engine_new(&engine, config, &err), WEIR_OK);
    weir_engine_set_upload(engine, true);
    assert_int_equal(weir_engine_add(engine, &job, &err), WEIR_OK);
    assert_int_equal(weir_engine_run(engine, NULL, &err), WEIR_OK);
    weir_engine_free(engine);
    weir_config_free(config);
    close_sink(server);
}

static void a_callback_is_sent_in_chunks(void **state)
{
    struct sender sender = {0};
    struct sink_server server;
    weir_upload upload = {.read = give, .user = &sender};
    send_once(&sender, &upload, 0, &server);
    assert_int_equal(sender.result.outcome, WEIR_DONE);
    assert_int_equal(sender.result.bytes, 3 * PIECES);
    assert_string_equal(server.body, "3\r\nabc\r\n3\r\nabc\r\n3\r\nabc\r\n3\r\nabc\r\n3\r\nabc\r\n"
                                     "0\r\n\r\n");
}

static void a_callback_of_known_size_is_sent_as_it_is(void **state)
{
    struct sender sender = {0};
    struct sink_server server;
    weir_upload upload = {.read = give, .user = &sender, .size = 3 * PIECES};
    send_once(&sender, &upload, 0, &server);
    assert_int_equal(sender.result.outcome, WEIR_DONE);
    assert_string_equal(server.body, "abcabcabcabcabc");
    sender = (struct sender){0};
    upload.size = 3 * PIECES - 1;
    send_once(&sender, &upload, 0, &server);
    assert_int_equal(sender.error.status, WEIR_CHECKSUM);
}

static void a_callback_that_rewinds_is_tried_again(void **state)
{
    struct sender sender = {0};
    struct sink_server server;
    weir_upload upload = {.read = give, .rewind = begin_again, .user = &sender, .size = 3 * PIECES};
    send_once(&sender, &upload, 2, &server);
    assert_int_equal(sender.result.outcome, WEIR_DONE);
    assert_int_equal(sender.result.attempts, 3);
    assert_int_equal(sender.rewinds, 2);
    assert_string_equal(server.body, "abcabcabcabcabc");
}

static void one_that_cannot_is_not(void **state)
{
    struct sender sender = {0};
    struct sink_server server;
    weir_upload upload = {.read = give, .user = &sender, .size = 3 * PIECES};
    send_once(&sender, &upload, 1, &server);
    assert_int_equal(sender.result.outcome, WEIR_FAILED);
    assert_int_equal(sender.result.attempts, 1);
    assert_non_null(strstr(sender.error.message, "cannot be read a second time"));
}

static void the_word_of_a_callback_is_the_error(void **state)
{
    struct sender sender = {0};
    struct sink_server server;
    weir_upload upload = {.read = give_trouble, .user = &sender};
    send_once(&sender, &upload, 0, &server);
    assert_int_equal(sender.error.status, WEIR_INPUT);
    assert_string_equal(sender.error.message,
                        "what the program sends: the disk of the program is gone");
}

static void an_upload_of_nothing_is_refused(void **state)
{
    weir_engine *engine = NULL;
    weir_error err;
    weir_upload upload = {0};
    weir_job job = {.url = "http://127.0.0.1/f", .upload = &upload};
    assert_int_equal(weir_engine_new(&engine, NULL, &err), WEIR_OK);
    assert_int_equal(weir_engine_add(engine, &job, &err), WEIR_USAGE);
    weir_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_as_often_as_needed),
        cmocka_unit_test(a_file_that_changes_is_told_before_its_last_byte),
        cmocka_unit_test(a_pipe_is_read_once_and_never_waited_for),
        cmocka_unit_test(what_cannot_be_sent_is_told_by_name),
        cmocka_unit_test(a_name_goes_below_a_url),
        cmocka_unit_test(a_folder_is_a_list_of_its_files),
        cmocka_unit_test(a_file_of_a_folder_is_opened_within_it),
        cmocka_unit_test(a_callback_is_sent_in_chunks),
        cmocka_unit_test(a_callback_of_known_size_is_sent_as_it_is),
        cmocka_unit_test(a_callback_that_rewinds_is_tried_again),
        cmocka_unit_test(one_that_cannot_is_not),
        cmocka_unit_test(the_word_of_a_callback_is_the_error),
        cmocka_unit_test(an_upload_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
