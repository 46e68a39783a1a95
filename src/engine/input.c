/* Opening lists; see input.h. A list may come from a pipe that says nothing for hours: the reader
 * here waits for its descriptor and for the end of the run at once.
 */
#include "engine/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "engine/run.h"
#include "source/tree_walk.h"

struct list_reader {
    struct reader head;
    int fd, stop_fd;
    bool own;
    bool waits; /* a pipe, a terminal or a socket */
    char name[];
};

static status list_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct list_reader *l = (struct list_reader *)r;
    for (;;) {
        if (l->waits) {
            struct pollfd fds[2] = {{.fd = l->fd, .events = POLLIN},
                                    {.fd = l->stop_fd, .events = POLLIN}};
            if (poll(fds, 2, -1) < 0 && errno != EINTR)
                return fail_errno(err, WEIR_INPUT, errno, "%s: cannot be read", l->name);
            if (fds[1].revents)
                return fail(err, WEIR_CANCELLED, "%s: the run was stopped", l->name);
            if (!fds[0].revents)
                continue;
        }
        ssize_t n = read(l->fd, data, cap);
        if (n >= 0) {
            *got = (size_t)n;
            return OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return fail_errno(err, WEIR_INPUT, errno, "%s: cannot be read", l->name);
    }
}

static status list_rewind(struct reader *r, error *err)
{
    struct list_reader *l = (struct list_reader *)r;
    if (lseek(l->fd, 0, SEEK_SET) < 0)
        return fail_errno(err, WEIR_USAGE, errno, "%s: cannot be read again", l->name);
    return OK;
}

static void list_close(struct reader *r)
{
    struct list_reader *l = (struct list_reader *)r;
    if (l->own)
        close(l->fd);
    free(l);
}

static const struct reader_type list_reader_type = {
    .name = "list", .read = list_read, .rewind = list_rewind, .close = list_close};

/* Takes fd when `own`, also on failure. */
static status list_reader_open(struct reader **out, int fd, bool own, const char *name, int stop_fd,
                               error *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (own)
            close(fd);
        return fail(err, WEIR_USAGE, "%s: is a directory, not a list", name);
    }
    size_t size = strlen(name) + 1;
    struct list_reader *l = malloc(sizeof *l + size);
    if (!l) {
        if (own)
            close(fd);
        return fail(err, WEIR_NOMEM, "out of memory");
    }
    *l = (struct list_reader){.head.type = &list_reader_type,
                              .fd = fd,
                              .stop_fd = stop_fd,
                              .own = own,
                              .waits = !S_ISREG(st.st_mode)};
    memcpy(l->name, name, size);
    *out = &l->head;
    return OK;
}

/* A list at a URL: fetched whole before the run, onto disk, never into memory. */
struct list_download {
    int fd;
    int64_t written;
    int failure; /* -errno of the first write that failed */
    error *err;
    status st;
};

static weir_next download_data(weir_file *file, const void *data, size_t size, void *user)
{
    struct list_download *d = user;
    d->failure = fs_write_all(d->fd, data, size, d->written);
    d->written += (int64_t)size;
    return d->failure ? WEIR_STOP_RUN : WEIR_NEXT;
}

static void download_reset(weir_file *file, void *user)
{
    struct list_download *d = user;
    d->written = 0;
    if (ftruncate(d->fd, 0) < 0)
        d->failure = -errno;
}

static void download_end(const weir_result *result, void *user)
{
    struct list_download *d = user;
    if (result->outcome == WEIR_DONE)
        return;
    d->st = result->error->status ? result->error->status : WEIR_CANCELLED;
    if (d->err)
        *d->err = *result->error;
}

static status download_list(int *out, const char *url, weir_config *config, error *err)
{
    struct list_download d = {.fd = fs_temporary_file(), .err = err};
    if (d.fd < 0)
        return fail_errno(err, WEIR_DISK, -d.fd, "cannot make a temporary file for the list %s",
                          url);
    static const weir_callbacks callbacks = {
        .on_data = download_data, .on_reset = download_reset, .on_end = download_end};
    weir_engine *engine = NULL;
    weir_job job = {.url = url, .save = WEIR_SAVE_NO, .callbacks = &callbacks, .user = &d};
    weir_summary summary;
    status st = weir_engine_new(&engine, config, err);
    if (!st)
        st = weir_engine_add(engine, &job, err);
    if (!st) {
        engine_without_reports(engine);
        st = weir_engine_run(engine, &summary, err);
    }
    weir_engine_free(engine);
    if (!st)
        st = d.st;
    if (!st && d.failure)
        st = fail_errno(err, WEIR_DISK, -d.failure, "cannot keep the list %s", url);
    if (st) {
        close(d.fd);
        return st;
    }
    *out = d.fd;
    return OK;
}

static bool is_http_url(const char *list)
{
    return strncasecmp(list, "http://", 7) == 0 || strncasecmp(list, "https://", 8) == 0;
}

static status open_reader(struct reader **out, const char *list, int stop_fd, weir_config *config,
                          error *err)
{
    if (strcmp(list, "-") == 0 || strcmp(list, "/dev/stdin") == 0)
        return list_reader_open(out, STDIN_FILENO, false, "standard input", stop_fd, err);
    int fd = -1;
    if (is_http_url(list)) {
        status st = download_list(&fd, list, config, err);
        if (st)
            return st;
    } else {
        fd = open(list, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail_errno(err, WEIR_USAGE, errno, "%s: cannot open the list", list);
    }
    return list_reader_open(out, fd, true, list, stop_fd, err);
}

static status check_format(const char *format, error *err)
{
    if (!format || !*format || source_type_named(format))
        return OK;
    struct strbuf names = {0};
    for (size_t i = 0; source_type_at(i); i++)
        strbuf_addf(&names, "%s%s", i ? ", " : "", source_type_at(i)->name);
    fail(err, WEIR_USAGE, "\"%s\" is not a list format; the formats are %s", format,
         strbuf_text(&names));
    strbuf_free(&names);
    return WEIR_USAGE;
}

status input_open(struct input **out, const char *list, const char *format, int stop_fd,
                  weir_config *config, error *err)
{
    status st = check_format(format, err);
    if (st)
        return st;
    struct input *input = calloc(1, sizeof *input);
    if (!input)
        return fail(err, WEIR_NOMEM, "out of memory");
    input->list = strdup(strcmp(list, "-") ? list : "standard input");
    input->format = format && *format ? strdup(format) : NULL;
    if (!input->list || (format && *format && !input->format))
        st = fail(err, WEIR_NOMEM, "out of memory");
    else
        st = open_reader(&input->reader, list, stop_fd, config, err);
    if (st) {
        input_free(input);
        return st;
    }
    *out = input;
    return OK;
}

status input_open_tree(struct input **out, const char *dir, const char *url, error *err)
{
    struct input *input = calloc(1, sizeof *input);
    if (!input)
        return fail(err, WEIR_NOMEM, "out of memory");
    input->is_tree = true;
    input->list = strdup(dir);
    status st = input->list ? tree_open(&input->source, dir, url, err)
                            : fail(err, WEIR_NOMEM, "out of memory");
    if (st) {
        input_free(input);
        return st;
    }
    *out = input;
    return OK;
}

status input_start(struct input *input, error *err)
{
    if (input->is_tree)
        return OK;
    struct reader *reader = input->reader;
    input->reader = NULL;
    return source_open(&input->source, reader, input->list, input->format, err);
}

void input_free(struct input *input)
{
    if (!input)
        return;
    reader_close(input->reader);
    source_close(input->source);
    free(input->list);
    free(input->format);
    free(input);
}
