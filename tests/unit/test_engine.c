/* The library as a program uses it, against the project's fault server: callbacks, exactly once,
 * jobs that are added meanwhile, stopping, stages. */
#include "engine_fixture.h"

static const char *url_of(const struct server *s, const char *path)
{
    char below[256];
    snprintf(below, sizeof below, "r/%s", path);
    return page_of(s, below);
}

struct body {
    char *data;
    size_t size, cap;
    int begins, resets, ends;
    weir_outcome outcome;
    weir_status status;
};

static weir_next note_begin(weir_file *file, const weir_begin *begin, void *user)
{
    struct body *b = user;
    b->begins++;
    return begin->offset == 0 && begin->header_count > 0 ? WEIR_NEXT : WEIR_STOP_RUN;
}

static weir_next collect(weir_file *file, const void *data, size_t size, void *user)
{
    struct body *b = user;
    if (b->size + size > b->cap) {
        b->cap = (b->size + size) * 2;
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return WEIR_NEXT;
}

static void note_reset(weir_file *file, void *user)
{
    struct body *b = user;
    b->resets++;
    b->size = 0;
}

static void note_end(const weir_result *result, void *user)
{
    struct body *b = user;
    b->ends++;
    b->outcome = result->outcome;
    b->status = result->error->status;
}

static const weir_callbacks takes_back = {
    .on_begin = note_begin, .on_data = collect, .on_reset = note_reset, .on_end = note_end};
static const weir_callbacks cannot_take_back = {
    .on_begin = note_begin, .on_data = collect, .on_end = note_end};

static weir_status fetch(const char *url, const weir_callbacks *callbacks, struct body *b)
{
    weir_config *config = quick_config();
    weir_engine *engine = NULL;
    weir_error err;
    weir_job job = {.url = url, .callbacks = callbacks, .user = b};
    assert_int_equal(weir_engine_new(&engine, config, &err), WEIR_OK);
    assert_int_equal(weir_engine_add(engine, &job, &err), WEIR_OK);
    weir_status st = weir_engine_run(engine, NULL, &err);
    weir_engine_free(engine);
    weir_config_free(config);
    return st;
}

static void assert_same_as(const char *clean_url, const struct body *b)
{
    char *want = NULL;
    size_t size = 0;
    weir_error err;
    if (weir_get_memory(clean_url, 10000000, NULL, &want, &size, &err))
        fail_msg("%s", err.message);
    assert_int_equal(b->size, size);
    assert_memory_equal(b->data, want, size);
    free(want);
}

/* ---- callbacks ---- */

static void a_body_arrives_once_whatever_breaks(void **state)
{
    static const struct {
        const char *faults;
        const weir_callbacks *callbacks;
        int resets;
    } rows[] = {
        {"", &cannot_take_back, 0},
        {"?cut=70000&cutn=1", &cannot_take_back, 0}, /* Range and If-Range */
        {"?cut=70000&cutn=3", &takes_back, 0},
        {"?cut=70000&cutn=2&norange=1", &cannot_take_back, 0}, /* replayed and checked */
        {"?cut=70000&cutn=1&norange=1", &takes_back, 1},       /* started again */
        {"?cut=70000&cutn=1&etag=none", &cannot_take_back, 0},
        {"?chunked=1", &cannot_take_back, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct body b = {0};
        char path[128];
        snprintf(path, sizeof path, "once%zu/200000%s", i, rows[i].faults);
        assert_int_equal(fetch(url_of(*state, path), rows[i].callbacks, &b), WEIR_OK);
        if (b.ends != 1 || b.outcome != WEIR_DONE || b.resets != rows[i].resets)
            fail_msg("%s: %d ends, outcome %d, %d resets", rows[i].faults, b.ends, (int)b.outcome,
                     b.resets);
        assert_int_equal(b.begins, 1 + rows[i].resets);
        snprintf(path, sizeof path, "once%zu/200000", i);
        assert_same_as(url_of(*state, path), &b);
        free(b.data);
    }
}

static void a_body_that_changed_is_taken_back_or_refused(void **state)
{
    struct body b = {0};
    const char *faulty = "?cut=70000&cutn=1&etag=change";
    char path[128];
    snprintf(path, sizeof path, "change1/200000%s", faulty);
    assert_int_equal(fetch(url_of(*state, path), &takes_back, &b), WEIR_OK);
    assert_int_equal(b.outcome, WEIR_DONE);
    assert_int_equal(b.resets, 1);
    assert_int_equal(b.size, 200000);
    free(b.data);
    b = (struct body){0};
    snprintf(path, sizeof path, "change2/200000%s", faulty);
    assert_int_equal(fetch(url_of(*state, path), &cannot_take_back, &b), WEIR_OK);
    assert_int_equal(b.outcome, WEIR_FAILED);
    assert_int_equal(b.status, WEIR_CHECKSUM);
    assert_int_equal(b.size, 70000); /* nothing of the other version */
    assert_int_equal(b.ends, 1);
    free(b.data);
}

static void no_callback_sees_an_error_page(void **state)
{
    struct body b = {0};
    assert_int_equal(fetch(url_of(*state, "page/5000?status=404"), &takes_back, &b), WEIR_OK);
    assert_int_equal(b.begins + b.resets, 0);
    assert_int_equal(b.size, 0);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.status, WEIR_HTTP);
}

static weir_next stop_this_file(weir_file *file, const void *data, size_t size, void *user)
{
    return WEIR_STOP_FILE;
}

static void a_callback_may_stop_its_file(void **state)
{
    static const weir_callbacks callbacks = {.on_data = stop_this_file, .on_end = note_end};
    struct body b = {0};
    assert_int_equal(fetch(url_of(*state, "stop/200000"), &callbacks, &b), WEIR_OK);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.status, WEIR_CANCELLED);
}

static void memory_has_a_bound(void **state)
{
    char *body = NULL;
    size_t size = 0;
    weir_error err;
    const char *url = url_of(*state, "bound/5000");
    assert_int_equal(weir_get_memory(url, 4999, NULL, &body, &size, &err), WEIR_POLICY);
    assert_null(body);
    assert_int_equal(weir_get_memory(url, 5000, NULL, &body, &size, &err), WEIR_OK);
    assert_int_equal(size, 5000);
    free(body);
    assert_int_equal(weir_get_memory("nonsense", 10, NULL, &body, &size, &err), WEIR_INPUT);
}

/* ---- many jobs ---- */

struct crowd {
    const struct server *server;
    weir_engine *engine;
    atomic_int ends, done, added, refused;
    int wanted;
};

static weir_next drop(weir_file *file, const void *data, size_t size, void *user)
{
    return WEIR_NEXT;
}

static weir_status add_one(struct crowd *c, const weir_callbacks *callbacks)
{
    char url[128];
    int i = atomic_fetch_add(&c->added, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/r/crowd%d/1000", c->server->port, i);
    weir_job job = {.url = url, .callbacks = callbacks, .user = c};
    weir_error err;
    weir_status st = weir_engine_add(c->engine, &job, &err);
    if (st)
        atomic_fetch_sub(&c->added, 1);
    return st;
}

static void count_end(const weir_result *result, void *user)
{
    struct crowd *c = user;
    atomic_fetch_add(&c->ends, 1);
    if (result->outcome == WEIR_DONE)
        atomic_fetch_add(&c->done, 1);
}

static void end_adds_next(const weir_result *result, void *user)
{
    static const weir_callbacks callbacks = {.on_data = drop, .on_end = end_adds_next};
    struct crowd *c = user;
    count_end(result, c);
    if (atomic_load(&c->added) < c->wanted && add_one(c, &callbacks))
        atomic_fetch_add(&c->refused, 1);
}

static void on_end_may_add_the_next_job(void **state)
{
    static const weir_callbacks callbacks = {.on_data = drop, .on_end = end_adds_next};
    struct crowd c = {.server = *state, .wanted = 200};
    weir_error err;
    weir_summary summary;
    assert_int_equal(weir_engine_new(&c.engine, NULL, &err), WEIR_OK);
    assert_int_equal(add_one(&c, &callbacks), WEIR_OK);
    assert_int_equal(weir_engine_run(c.engine, &summary, &err), WEIR_OK);
    assert_int_equal(c.ends, 200);
    assert_int_equal(c.done, 200);
    assert_int_equal(c.refused, 0);
    assert_int_equal(summary.stats.done, 200);
    assert_int_equal(add_one(&c, &callbacks), WEIR_USAGE); /* the run is over */
    weir_engine_free(c.engine);
}

static const weir_callbacks counting = {.on_data = drop, .on_end = count_end};

static void *add_from_outside(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < c->wanted; i++)
        if (add_one(c, &counting))
            atomic_fetch_add(&c->refused, 1);
    weir_engine_finish(c->engine);
    return NULL;
}

static void another_thread_adds_and_waits_for_room(void **state)
{
    struct crowd c = {.server = *state, .wanted = 1000};
    weir_config *config = quick_config();
    weir_error err;
    pthread_t thread;
    assert_int_equal(weir_config_set(config, "run.queue", "16", &err), WEIR_OK);
    assert_int_equal(weir_engine_new(&c.engine, config, &err), WEIR_OK);
    weir_engine_keep_open(c.engine);
    assert_int_equal(pthread_create(&thread, NULL, add_from_outside, &c), 0);
    assert_int_equal(weir_engine_run(c.engine, NULL, &err), WEIR_OK);
    pthread_join(thread, NULL);
    assert_int_equal(c.refused, 0);
    assert_int_equal(c.ends, 1000);
    assert_int_equal(c.done, 1000);
    weir_engine_free(c.engine);
    weir_config_free(config);
}

static weir_next stop_the_run(weir_file *file, const void *data, size_t size, void *user)
{
    return WEIR_STOP_RUN;
}

static void every_job_hears_its_end_when_the_run_is_stopped(void **state)
{
    static const weir_callbacks stopper = {.on_data = stop_the_run, .on_end = count_end};
    struct crowd c = {.server = *state};
    weir_config *config = quick_config();
    weir_error err;
    weir_summary summary;
    assert_int_equal(weir_config_set(config, "run.queue", "100", &err), WEIR_OK);
    assert_int_equal(weir_engine_new(&c.engine, config, &err), WEIR_OK);
    /* More than the queue holds: some are in flight, some queued, some overflowed, some unseen. */
    for (int i = 0; i < 700; i++)
        assert_int_equal(add_one(&c, i == 20 ? &stopper : &counting), WEIR_OK);
    assert_int_equal(weir_engine_run(c.engine, &summary, &err), WEIR_CANCELLED);
    assert_int_equal(weir_exit_code(&summary), 130);
    assert_int_equal(c.ends, 700);
    assert_true(c.done < 700);
    weir_engine_free(c.engine);
    weir_config_free(config);
}

static void a_run_that_cannot_begin_ends_its_jobs_too(void **state)
{
    struct crowd c = {.server = *state};
    weir_config *config = quick_config();
    weir_error err;
    weir_summary summary;
    assert_int_equal(weir_config_set(config, "save.dir", "/dev/null/nowhere", &err), WEIR_OK);
    assert_int_equal(weir_engine_new(&c.engine, config, &err), WEIR_OK);
    assert_int_equal(add_one(&c, &counting), WEIR_OK);
    assert_int_equal(weir_engine_run(c.engine, &summary, &err), WEIR_DISK);
    assert_int_equal(weir_exit_code(&summary), 3);
    assert_int_equal(c.ends, 1);
    weir_engine_free(c.engine);
    weir_config_free(config);
}

/* ---- stages ---- */

struct doubler {
    size_t seen;
};

static weir_status doubler_write(weir_stage *stage, const void *data, size_t size, weir_error *err)
{
    struct doubler *d = weir_stage_state(stage);
    d->seen += size;
    weir_status st = weir_emit(stage, data, size, err);
    return st ? st : weir_emit(stage, data, size, err);
}

static weir_status doubler_finish(weir_stage *stage, weir_error *err)
{
    const struct doubler *d = weir_stage_state(stage);
    char text[32];
    int n = snprintf(text, sizeof text, "%zu", d->seen);
    return weir_emit(stage, text, (size_t)n, err);
}

static void a_stage_stands_between_the_wire_and_the_file(void **state)
{
    static const weir_stage_type doubler = {.abi_size = sizeof doubler,
                                            .state_size = sizeof(struct doubler),
                                            .name = "doubler",
                                            .phase = WEIR_PHASE_TRANSFORM,
                                            .write = doubler_write,
                                            .finish = doubler_finish};
    char dir[] = "/tmp/weir-engine-XXXXXX", path[64], text[64] = {0};
    assert_non_null(mkdtemp(dir));
    weir_config *config = quick_config();
    weir_engine *engine = NULL;
    weir_error err;
    weir_job job = {.url = url_of(*state, "stage/10"), .name = "f"};
    assert_int_equal(weir_config_set(config, "save.dir", dir, &err), WEIR_OK);
    assert_int_equal(weir_engine_new(&engine, config, &err), WEIR_OK);
    assert_int_equal(weir_engine_register(engine, &doubler, &err), WEIR_OK);
    assert_int_equal(weir_engine_add(engine, &job, &err), WEIR_OK);
    assert_int_equal(weir_engine_run(engine, NULL, &err), WEIR_OK);
    weir_engine_free(engine);
    weir_config_free(config);
    snprintf(path, sizeof path, "%s/f", dir);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 22);
    fclose(file);
    assert_memory_equal(text, text + 10, 10);
    assert_string_equal(text + 20, "10");
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_arrives_once_whatever_breaks),
        cmocka_unit_test(a_body_that_changed_is_taken_back_or_refused),
        cmocka_unit_test(no_callback_sees_an_error_page),
        cmocka_unit_test(a_callback_may_stop_its_file),
        cmocka_unit_test(memory_has_a_bound),
        cmocka_unit_test(on_end_may_add_the_next_job),
        cmocka_unit_test(another_thread_adds_and_waits_for_room),
        cmocka_unit_test(every_job_hears_its_end_when_the_run_is_stopped),
        cmocka_unit_test(a_run_that_cannot_begin_ends_its_jobs_too),
        cmocka_unit_test(a_stage_stands_between_the_wire_and_the_file),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
