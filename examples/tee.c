/* A tee: each body is saved as it was sent, and its lines that match go to standard output,
 * decoded, in the same pass.
 *
 *   tee DIR REGEX URL...
 */
#include <stdio.h>
#include <unistd.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    weir_config *config = NULL;
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    weir_status st;

    if (argc < 4) {
        fprintf(stderr, "usage: tee DIR REGEX URL...\n");
        return 2;
    }
    weir_pattern pattern = {.text = argv[2]};
    weir_filter filter = {.patterns = &pattern, .pattern_count = 1};
    if ((st = weir_config_new(&config, &err)) ||
        (st = weir_config_set(config, "save.dir", argv[1], &err)) ||
        (st = weir_engine_new(&engine, config, &err)) ||
        (st = weir_engine_filter(engine, &filter, &err)))
        goto out;
    weir_engine_write_to_fd(engine, STDOUT_FILENO, "standard output");
    weir_engine_set_save(engine, WEIR_SAVE_BODY);
    for (int i = 3; i < argc; i++) {
        weir_job job = {.url = argv[i]};
        if ((st = weir_engine_add(engine, &job, &err)))
            goto out;
    }
    st = weir_engine_run(engine, &summary, &err);
out:
    if (st)
        fprintf(stderr, "tee: %s\n", err.message);
    weir_engine_free(engine);
    weir_config_free(config);
    return st ? 2 : weir_exit_code(&summary);
}
