/* weir put: sends files, folders and standard input up to URLs. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run_command.h"

static bool is_folder(const char *path)
{
    struct stat info;
    return !names_stdin(path) && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Is the path of the URL that of a folder? */
static bool ends_in_slash(const char *url)
{
    size_t n = strcspn(url, "?#");
    const char *scheme = strstr(url, "://");
    return (n && url[n - 1] == '/') ||
           (scheme && !memchr(scheme + 3, '/', n - (size_t)(scheme + 3 - url)));
}

/* What was typed is looked at before the first request: a slip of the finger is no failed upload.
 */
static int check_files(const struct arguments *a)
{
    size_t from_stdin = 0;
    for (size_t i = 0; i < a->put.file_count; i++) {
        const char *path = a->put.files[i];
        if (names_stdin(path)) {
            from_stdin++;
            continue;
        }
        if (access(path, R_OK))
            return usage_error(a->command, "%s: %s%s", path, strerror(errno),
                               strchr(path, '.') && !strchr(path, '/')
                                   ? "; a URL begins with http:// or https://"
                                   : "");
    }
    for (size_t i = 0; i < a->list_count; i++)
        from_stdin += names_stdin(a->lists[i]);
    if (from_stdin > 1)
        return usage_error(a->command, "standard input is named twice, and it comes once");
    return EXIT_ALL_WELL;
}

static int check_words(const struct arguments *a)
{
    if (a->list_count && (a->put.file_count || a->url_count))
        return usage_error(a->command,
                           "-i LIST says itself what goes where; leave out the files and the URL "
                           "(--base-url URL is for lists that hold relative ones)");
    if (a->put.file_count && !a->url_count)
        return usage_error(a->command, "the URL is missing: weir put %s URL", a->put.files[0]);
    if (a->url_count > 1)
        return usage_error(a->command,
                           "two URLs, %s and %s: all files go to one; a list (-i) may name several",
                           a->urls[0], a->urls[1]);
    if (a->url_count && !a->put.file_count)
        return usage_error(a->command,
                           "nothing to send to %s: weir put FILE URL, or - for standard input",
                           a->urls[0]);
    return check_files(a);
}

static int check(struct command_run *run)
{
    const struct arguments *a = run->a;
    weir_error err;
    int code = check_words(a);
    if (code)
        return code;
    const char *method = weir_config_get(run->config, "put.method");
    if (a->put.file_count > 1 && !ends_in_slash(a->urls[0]) && !(method && !strcmp(method, "POST")))
        return usage_error(
            a->command,
            "%zu files for the one URL %s; let it end in '/', and each goes below it "
            "under its name",
            a->put.file_count, a->urls[0]);
    /* A journal that the INI file names is for downloads; one that was typed is refused. */
    if (!arguments_setting(a, "journal.path"))
        weir_config_set(run->config, "journal.path", "", &err);
    return EXIT_ALL_WELL;
}

static int equip(struct command_run *run)
{
    weir_engine_set_upload(run->engine, true);
    return EXIT_ALL_WELL;
}

static int add_words(struct command_run *run)
{
    const struct arguments *a = run->a;
    weir_error err;
    for (size_t i = 0; i < a->put.file_count; i++) {
        const char *path = a->put.files[i];
        weir_upload upload = {.path = path};
        weir_job job = {.url = a->urls[0], .upload = &upload};
        weir_status st = is_folder(path) ? weir_engine_add_tree(run->engine, path, a->urls[0], &err)
                                         : weir_engine_add(run->engine, &job, &err);
        if (st)
            return status_error(a->command, st, err.message);
    }
    return EXIT_ALL_WELL;
}

static const struct run_type put = {
    .check = check,
    .equip = equip,
    .add_words = add_words,
    .on_stdout = "nothing",
    .no_work = "weir put FILE URL sends a file, weir put DIR URL all that is in a folder",
};

int cmd_put(const struct arguments *a)
{
    return run_command(a, &put, NULL);
}
