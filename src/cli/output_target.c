/* What -o means: a file name, a folder and a file name, or a descriptor. Main thread.
 *
 * For the commands that write lines it is one file or descriptor for all of them; the folder of an
 * INI file does not turn their output into files, only one typed on the command line does.
 *
 * A name beneath save.dir goes to the engine as it is. One that leads elsewhere ("/tmp/x", "../x")
 * is what the user typed himself, so its folder becomes save.dir; the engine never leaves that.
 * What exists and is no regular file (/dev/null, a FIFO) is written to, never replaced.
 */
#include "cli/output_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void output_target_init(struct output_target *t)
{
    *t = (struct output_target){.fd = -1};
}

void output_target_free(struct output_target *t)
{
    if (t->fd > 2)
        close(t->fd);
    free(t->name);
    free(t->dir);
    output_target_init(t);
}

/* True when a component of the path is "." or "..", or it begins at the root. */
static bool leads_elsewhere(const char *path)
{
    if (path[0] == '/')
        return true;
    while (*path) {
        size_t n = strcspn(path, "/");
        if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
            return true;
        path += n;
        path += strspn(path, "/");
    }
    return false;
}

/* "dir/name", or "name" where dir adds nothing. */
static char *join(const char *dir, const char *name, size_t name_n)
{
    bool bare = !dir || !*dir || strcmp(dir, ".") == 0 || name[0] == '/';
    size_t cap = (bare ? 0 : strlen(dir) + 1) + name_n + 1;
    char *out = malloc(cap);
    if (out)
        snprintf(out, cap, "%s%s%.*s", bare ? "" : dir, bare ? "" : "/", (int)name_n, name);
    return out;
}

static weir_status open_special(struct output_target *t, const char *path, char message[USAGE_MAX])
{
    t->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0)
        return usage_refuse(message, WEIR_DISK, "-o %s: cannot be opened for writing: %s", path,
                            strerror(errno));
    return WEIR_OK;
}

static weir_status choose_name(struct output_target *t, const char *output, weir_config *config,
                               char message[USAGE_MAX])
{
    weir_error err;
    if (!leads_elsewhere(output)) {
        t->name = strdup(output);
        return t->name ? WEIR_OK : usage_refuse(message, WEIR_NOMEM, "out of memory");
    }
    const char *slash = strrchr(output, '/');
    const char *last = slash ? slash + 1 : output;
    if (!slash || strcmp(last, "..") == 0 || strcmp(last, ".") == 0)
        return usage_refuse(message, WEIR_USAGE, "-o %s is a folder; use -d %s", output, output);
    size_t dir_n = slash == output ? 1 : (size_t)(slash - output);
    t->dir = join(weir_config_get(config, "save.dir"), output, dir_n);
    t->name = strdup(last);
    if (!t->dir || !t->name)
        return usage_refuse(message, WEIR_NOMEM, "out of memory");
    weir_status st = weir_config_set(config, "save.dir", t->dir, &err);
    return st ? usage_refuse(message, st, "-o %s: %s", output, err.message) : WEIR_OK;
}

static void choose_stdout(struct output_target *t)
{
    t->fd = 1;
    t->what = "standard output";
}

weir_status output_target_choose(struct output_target *t, const struct arguments *a,
                                 weir_config *config, char message[USAGE_MAX])
{
    const char *output = a->output;
    struct stat info;
    if (!output)
        return WEIR_OK;
    if (names_stdout(output)) {
        choose_stdout(t);
        return WEIR_OK;
    }
    size_t n = strlen(output);
    char *path = join(weir_config_get(config, "save.dir"), output, n);
    if (!path)
        return usage_refuse(message, WEIR_NOMEM, "out of memory");
    bool exists = stat(path, &info) == 0;
    weir_status st = WEIR_OK;
    if (output[n - 1] == '/' || (exists && S_ISDIR(info.st_mode))) {
        st = usage_refuse(message, WEIR_USAGE, "-o %s is a folder; use -d %s", output, output);
    } else if (exists && !S_ISREG(info.st_mode)) {
        t->what = output;
        st = a->dry_run ? WEIR_OK : open_special(t, path, message);
    } else if (a->url_count != 1 || a->list_count) {
        st =
            usage_refuse(message, WEIR_USAGE,
                         "-o %s names one file, but there %s; use -d DIR for the folder and --name "
                         "TEMPLATE for the names, or -o - for standard output",
                         output, a->list_count ? "is a list of URLs" : "are several URLs");
    } else {
        st = choose_name(t, output, config, message);
    }
    free(path);
    return st;
}

/* A flag that names files, where there will be none. */
static const char *naming_flag(const struct arguments *a)
{
    static const char *const names[] = {"save.name", "save.tree", "save.cut_dirs", "save.on_exist"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct setting *s = arguments_setting(a, names[i]);
        if (s && s->option)
            return s->option->flag;
    }
    return NULL;
}

weir_status output_target_choose_for_lines(struct output_target *t, const struct arguments *a,
                                           char message[USAGE_MAX])
{
    const char *output = a->output;
    struct stat info;
    if (arguments_setting(a, "save.dir")) {
        if (output)
            return usage_refuse(
                message, WEIR_USAGE,
                "-o and -d cannot be given together: -o %s is one file for all results, "
                "-d a folder with a result for each URL",
                output);
        return WEIR_OK;
    }
    const char *naming = naming_flag(a);
    if (naming)
        return usage_refuse(
            message, WEIR_USAGE,
            "--%s is about the names of files, but all results go to %s; add -d DIR for "
            "a result for each URL",
            naming, output && !names_stdout(output) ? output : "standard output");
    if (!output || names_stdout(output)) {
        choose_stdout(t);
        return WEIR_OK;
    }
    size_t n = strlen(output);
    bool exists = stat(output, &info) == 0;
    if (output[n - 1] == '/' || (exists && S_ISDIR(info.st_mode)))
        return usage_refuse(message, WEIR_USAGE, "-o %s is a folder; use -d %s", output, output);
    t->file = output;
    return WEIR_OK;
}

bool output_target_is_stream(const struct output_target *t)
{
    return t->fd >= 0 || t->file || t->what;
}
