/* The file sink: what a cut, a killed or a foreign .part is good for, and how far. On real files.
 */
#include "sink_fixture.h"

static void cut_download_goes_on_where_it_was(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("a/b/f");
    struct sink *s = open_sink(p, &spec, NULL);
    int64_t offset = -1;
    error err;
    begin(s, 0, 700000);
    put(s, p->body, 500001);
    sink_file.abort(s, true);
    sink_file.close(s);
    assert_false(exists(p, "a/b/f"));
    s = open_sink(p, &spec, &offset);
    struct stat st;
    assert_int_equal(fstatat(p->env.dirfd, "a/b/f.part", &st, 0), 0);
    assert_int_equal(st.st_size, 500001);
    if (offset == 0) { /* no attributes here, and too small for a record of its own */
        begin(s, 0, 700000);
        put(s, p->body, 700000);
    } else {
        assert_int_equal(offset, 500001);
        begin(s, offset - 1, 700000); /* the engine may ask for a little again */
        put(s, p->body + offset - 1, (size_t)(700000 - offset + 1));
    }
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "a/b/f", p->body, 700000);
    assert_int_equal(entries(p), 3);
}

/* Killed: whatever is in the file counts, if a record says what it is. */
static void killed_download_goes_on_from_its_size(void **state)
{
    struct place *p = *state;
    leave_part(p, "f", 3 * MI, false);
    struct stat st;
    assert_int_equal(fstatat(p->env.dirfd, "f.part", &st, 0), 0);
    assert_true(st.st_size > 2 * (off_t)MI);
    assert_int_equal(offset_found(p, "f"), st.st_size);
    leave_part(p, "small", MI / 2, false);
    assert_int_equal(offset_found(p, "small"), 0);
}

/* A part of 4 MiB of which the first one and the third are there; its extents as the sink says. */
static char *leave_scattered(const struct place *p, const char *name, bool keep)
{
    struct sink_spec spec = spec_of(name);
    struct sink *s = open_sink(p, &spec, NULL);
    struct provenance from;
    error err;
    begin(s, 0, 4 * (int64_t)MI);
    put(s, p->body, MI / 2);
    assert_int_equal(s->type->write_at(s, p->body + 2 * MI, MI, 2 * (int64_t)MI, &err), OK);
    assert_int_equal(s->type->write_at(s, p->body + MI / 2, MI / 2, (int64_t)MI / 2, &err), OK);
    if (keep)
        sink_file.abort(s, true);
    sink_file.close(s);
    provenance_init(&from);
    assert_int_equal(sink_file.open(&s, &p->env, &spec, &from, &err), OK);
    char *extents = from.extents ? strdup(from.extents) : NULL;
    assert_int_equal(from.written, keep ? (int64_t)MI : (int64_t)MI / 2);
    provenance_free(&from);
    sink_file.close(s);
    return extents;
}

static void part_with_holes_goes_on_with_what_it_has(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct provenance from;
    struct sink *s;
    error err;
    char *extents = leave_scattered(p, "f", true);
    assert_string_equal(extents, "0-1048576,2097152-3145728");
    free(extents);
    provenance_init(&from);
    assert_int_equal(sink_file.open(&s, &p->env, &spec, &from, &err), OK);
    assert_int_equal(sink_file.begin(s, from.written, &from, &err), OK);
    provenance_free(&from);
    /* nothing that was there has been cut off, and a hole is not sealed */
    assert_int_equal(s->type->write_at(s, p->body + 3 * MI, MI, 3 * (int64_t)MI, &err), OK);
    assert_int_equal(sink_file.seal(s, -1, &err), WEIR_USAGE);
    assert_int_equal(s->type->write_at(s, p->body + MI, MI, (int64_t)MI, &err), OK);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", p->body, 4 * MI);
}

/* Killed before its next record: only what the record says is there. */
static void killed_part_with_holes_is_no_larger_than_its_record(void **state)
{
    struct place *p = *state;
    assert_null(leave_scattered(p, "f", false));
    struct sink_spec spec = spec_of("f");
    int64_t offset;
    struct sink *s = open_sink(p, &spec, &offset);
    begin(s, offset, 4 * (int64_t)MI);
    put(s, p->body + offset, 4 * MI - (size_t)offset);
    seal(s, -1);
    error err;
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", p->body, 4 * MI);
}

static void after_another_boot_only_synced_extents_count(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct provenance from;
    struct sink *s;
    error err;
    free(leave_scattered(p, "f", true));
    edit_record(p, "f.part", "boot_id", "00000000-0000-4000-8000-000000000000");
    assert_int_equal(offset_found(p, "f"), 0);
    edit_record(p, "f.part", "synced_extents", "0-4096,2097152-2100000");
    provenance_init(&from);
    assert_int_equal(sink_file.open(&s, &p->env, &spec, &from, &err), OK);
    assert_int_equal(from.written, 4096);
    assert_string_equal(from.extents, "0-4096,2097152-2100000");
    provenance_free(&from);
    sink_file.close(s);
    edit_record(p, "f.part", "synced_extents", "0-4096,oops");
    assert_int_equal(offset_found(p, "f"), 0);
}

static void after_another_boot_only_synced_bytes_count(void **state)
{
    struct place *p = *state;
    static const char other[] = "00000000-0000-4000-8000-000000000000";
    leave_part(p, "f", 3 * MI, true);
    assert_int_equal(offset_found(p, "f"), 3 * MI);
    edit_record(p, "f.part", "boot_id", other);
    assert_int_equal(offset_found(p, "f"), 0);
    edit_record(p, "f.part", "synced", "1000000");
    assert_int_equal(offset_found(p, "f"), 1000000);
    edit_record(p, "f.part", "synced", "9000000");
    assert_int_equal(offset_found(p, "f"), 3 * MI);
    /* Going on notes the boot in which it happens. */
    edit_record(p, "f.part", "synced", "1000000");
    struct sink_spec spec = spec_of("f");
    int64_t offset;
    struct sink *s = open_sink(p, &spec, &offset);
    begin(s, offset, 4 * (int64_t)MI);
    put(s, p->body + offset, 512 * 1024);
    sink_file.close(s);
    offset = offset_found(p, "f");
    assert_true(offset > 1000000 + 256 * 1024);
    assert_content(p, "f.part", p->body, (size_t)offset);
}

/* A .part that says nothing of its origin may be another program's: it is neither used nor removed.
 */
static void a_part_of_another_program_is_left_alone(void **state)
{
    struct place *p = *state;
    make_file(p, "alien.part", p->body, 2 * MI);
    struct sink_spec spec = spec_of("alien");
    struct sink *s = NULL;
    struct provenance from;
    error err;
    provenance_init(&from);
    assert_int_equal(sink_file.open(&s, &p->env, &spec, &from, &err), WEIR_NAME);
    assert_null(s);
    assert_non_null(strstr(err.message, "alien.part"));
    assert_content(p, "alien.part", p->body, 2 * MI);
}

static void damaged_parts_are_not_trusted(void **state)
{
    struct place *p = *state;
    leave_part(p, "damaged", 2 * MI, true);
    edit_record(p, "damaged.part", "written", "many");
    assert_int_equal(offset_found(p, "damaged"), 0);
    leave_part(p, "longer", 2 * MI, true);
    edit_record(p, "longer.part", "size", "1000000");
    assert_int_equal(offset_found(p, "longer"), 0);
    store(p, "damaged", 1000, 1000);
    assert_content(p, "damaged", p->body, 1000);
}

/* A body of another version replaces the first one whole; the old record goes before new bytes
 * come. */
static void starting_again_forgets_the_old_version(void **state)
{
    struct place *p = *state;
    error err;
    for (int way = 0; way < 3; way++) {
        struct sink_spec spec = spec_of("f");
        leave_part(p, "f", 3 * MI, true);
        struct sink *s = open_sink(p, &spec, NULL);
        if (way == 1)
            begin(s, 2 * (int64_t)MI, 4 * (int64_t)MI);
        if (way >= 1)
            assert_int_equal(s->type->reset(s, &err), OK);
        begin(s, 0, 4 * (int64_t)MI);
        put(s, p->body + 7, MI / 2);
        sink_file.close(s); /* killed */
        assert_int_equal(offset_found(p, "f"), 0);
        s = open_sink(p, &spec, NULL);
        begin(s, 0, 1000);
        put(s, p->body + 9, 500);
        begin(s, 0, 1000); /* the engine, after a 200 where it asked for a part */
        put(s, p->body + 11, 1000);
        seal(s, -1);
        spec.replace = true;
        assert_int_equal(publish_and_close(p, s, &err), OK);
        assert_content(p, "f", p->body + 11, 1000);
        assert_int_equal(entries(p), 1);
        unlinkat(p->env.dirfd, "f", 0);
    }
}

/* Gathered bytes count: a retry within a run goes on at the byte, or a little before it. */
static void retry_goes_on_within_gathered_bytes(void **state)
{
    struct place *p = *state;
    error err;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    put(s, p->body, 200000);
    begin(s, 200000, -1);
    put(s, p->body + 200000, 10);
    begin(s, 199990, -1);
    put(s, p->body + 199990, 10);
    begin(s, 1000, -1);
    put(s, p->body + 1000, 199000);
    assert_int_equal(try_begin(s, 200001, -1, &err), WEIR_USAGE);
    assert_int_equal(s->type->offset(s), 200000);
    seal(s, -1);
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "f", p->body, 200000);
}

/* A URL too long for any attribute: the record becomes a file beside the .part. */
static void record_that_does_not_fit_goes_beside_the_part(void **state)
{
    struct place *p = *state;
    size_t length = 70000;
    char *url = malloc(length + 1), etag[] = "\"v1\"";
    memset(url, 'u', length);
    url[length] = '\0';
    struct provenance held = {.url = url, .etag = etag, .size = 4 * (int64_t)MI};
    struct sink_spec spec = spec_of("d/f");
    error err;
    struct sink *s = open_sink(p, &spec, NULL);
    assert_int_equal(s->type->begin(s, 0, &held, &err), OK);
    put(s, p->body, MI / 2);
    assert_false(exists(p, "d/f.part.resume"));
    put(s, p->body + MI / 2, MI * 3 / 2);
    assert_true(exists(p, "d/f.part.resume"));
    sink_file.close(s); /* killed */
    assert_false(exists(p, "d/f.part.resume.part"));
    int64_t offset;
    s = open_sink(p, &spec, &offset);
    assert_true(offset > (int64_t)MI);
    assert_int_equal(s->type->begin(s, offset, &held, &err), OK);
    put(s, p->body + offset, 4 * MI - (size_t)offset);
    seal(s, -1);
    assert_true(exists(p, "d/f.part.resume"));
    assert_int_equal(publish_and_close(p, s, &err), OK);
    assert_content(p, "d/f", p->body, 4 * MI);
    assert_int_equal(entries(p), 2);

    spec = spec_of("d/g");
    s = open_sink(p, &spec, NULL);
    assert_int_equal(s->type->begin(s, 0, &held, &err), OK);
    put(s, p->body, 2 * MI);
    sink_file.abort(s, false);
    sink_file.close(s);
    assert_int_equal(entries(p), 2);
    free(url);
}

static void abort_keeps_or_removes(void **state)
{
    struct place *p = *state;
    struct sink_spec spec = spec_of("f");
    struct sink *s = open_sink(p, &spec, NULL);
    sink_file.abort(s, true); /* before begin: nothing was made */
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    sink_file.abort(s, true); /* an empty part is of no use */
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    s = open_sink(p, &spec, NULL);
    begin(s, 0, -1);
    put(s, p->body, 2 * MI);
    sink_file.abort(s, false);
    sink_file.close(s);
    assert_int_equal(entries(p), 0);
    leave_part(p, "f", 2 * MI, true);
    s = open_sink(p, &spec, NULL);
    sink_file.abort(s, true); /* no body came: the part of the run before stays as it is */
    sink_file.close(s);
    assert_int_equal(offset_found(p, "f"), 2 * MI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cut_download_goes_on_where_it_was),
        TEST(killed_download_goes_on_from_its_size),
        TEST(part_with_holes_goes_on_with_what_it_has),
        TEST(killed_part_with_holes_is_no_larger_than_its_record),
        TEST(after_another_boot_only_synced_extents_count),
        TEST(after_another_boot_only_synced_bytes_count),
        TEST(a_part_of_another_program_is_left_alone),
        TEST(damaged_parts_are_not_trusted),
        TEST(starting_again_forgets_the_old_version),
        TEST(retry_goes_on_within_gathered_bytes),
        TEST(record_that_does_not_fit_goes_beside_the_part),
        TEST(abort_keeps_or_removes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
