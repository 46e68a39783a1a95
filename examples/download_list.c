/* The shortest program: every URL of a list becomes a file in the current directory.
 *
 *   download_list urls.txt
 */
#include <stdio.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    weir_status st = WEIR_USAGE;

    if (argc != 2) {
        fprintf(stderr, "usage: download_list LIST\n");
        return 2;
    }
    if ((st = weir_engine_new(&engine, NULL, &err)) == WEIR_OK &&
        (st = weir_engine_add_source(engine, argv[1], NULL, &err)) == WEIR_OK)
        st = weir_engine_run(engine, &summary, &err);
    weir_engine_free(engine);
    if (st != WEIR_OK) {
        fprintf(stderr, "download_list: %s\n", err.message);
        return 2;
    }
    printf("%llu done, %llu skipped, %llu failed\n", (unsigned long long)summary.stats.done,
           (unsigned long long)summary.stats.skipped, (unsigned long long)summary.stats.failed);
    return weir_exit_code(&summary);
}
