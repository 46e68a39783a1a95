/* A stage of one's own (weir/stage.h): saves only the first lines of each URL, and ends each
 * download there.
 *
 *   head_stage DIR LINES URL...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

struct head {
    unsigned long left; /* lines still wanted */
};

static weir_status head_open(weir_stage *stage, weir_error *err)
{
    struct head *head = weir_stage_state(stage);
    (void)err;
    head->left = *(const unsigned long *)weir_stage_user(stage);
    return WEIR_OK;
}

static weir_status head_write(weir_stage *stage, const void *data, size_t size, weir_error *err)
{
    struct head *head = weir_stage_state(stage);
    const char *p = data, *end = p + size, *newline;
    while (head->left > 0 && p < end && (newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        head->left--;
        p = newline + 1;
    }
    if (head->left > 0) /* all of it belongs to the lines that are wanted */
        return weir_emit(stage, data, size, err);
    weir_status st = weir_emit(stage, data, (size_t)(p - (const char *)data), err);
    return st ? st : WEIR_END; /* the rest of the body is not needed */
}

/* The body starts again: what was counted is forgotten. */
static void head_reset(weir_stage *stage)
{
    head_open(stage, NULL);
}

static const weir_stage_type head_type = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct head),
    .name = "head",
    .help = "the first lines",
    .phase = WEIR_PHASE_TRANSFORM,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .open = head_open,
    .write = head_write,
    .reset = head_reset,
};

int main(int argc, char **argv)
{
    weir_config *config = NULL;
    weir_engine *engine = NULL;
    weir_error err = {0};
    weir_summary summary = {0};
    weir_callbacks none = {0};
    weir_status st;

    if (argc < 4 || strtoul(argv[2], NULL, 10) == 0) {
        fprintf(stderr, "usage: head_stage DIR LINES URL...\n");
        return 2;
    }
    unsigned long lines = strtoul(argv[2], NULL, 10);
    if ((st = weir_config_new(&config, &err)) ||
        (st = weir_config_set(config, "save.dir", argv[1], &err)) ||
        (st = weir_engine_new(&engine, config, &err)) ||
        (st = weir_engine_register(engine, &head_type, &err)))
        goto out;
    weir_engine_set_callbacks(engine, &none, &lines);
    for (int i = 3; i < argc; i++) {
        weir_job job = {.url = argv[i]};
        if ((st = weir_engine_add(engine, &job, &err)))
            goto out;
    }
    st = weir_engine_run(engine, &summary, &err);
out:
    if (st)
        fprintf(stderr, "head_stage: %s\n", err.message);
    weir_engine_free(engine);
    weir_config_free(config);
    return st ? 2 : weir_exit_code(&summary);
}
