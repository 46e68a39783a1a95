/* File names in Content-Disposition (RFC 6266): a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/disposition.h"

#include <cmocka.h>

static void file_names_are_read(void **state)
{
    static const struct {
        const char *value, *want; /* want NULL: none */
    } rows[] = {
        {"attachment; filename=\"a b.txt\"", "a b.txt"},
        {"attachment; filename=plain.txt", "plain.txt"},
        {"attachment;filename=plain.txt;size=3", "plain.txt"},
        {"Attachment; FileName=\"x\"", "x"},
        {"attachment; filename=\"quo\\\"te.txt\"", "quo\"te.txt"},
        {"attachment; filename=\"semi;colon\"", "semi;colon"},
        {"attachment; filename=\"old\"; filename*=UTF-8''na%C3%AFve.txt", "na\xC3\xAFve.txt"},
        {"attachment; filename*=utf-8'en'a%20b; filename=\"old\"", "a b"},
        {"attachment; filename*=iso-8859-1''x; filename=\"old\"", "old"},
        {"attachment; filename*=UTF-8''bad%2; filename=\"old\"", "old"},
        {"attachment; filename=\"../../etc/passwd\"", "passwd"},
        {"attachment; filename=\"C:\\\\dir\\\\file.txt\"", "file.txt"},
        {"attachment; filename*=UTF-8''..%2F..%2Fx", "x"},
        {"attachment; filename=\"\"", NULL},
        {"attachment; filename=\"dir/\"", NULL},
        {"attachment; filename", NULL},
        {"attachment; filename=\"unclosed", "unclosed"},
        {"inline", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf out = {0};
        bool found = disposition_filename(&out, rows[i].value);
        if (found != (rows[i].want != NULL) ||
            (found && strcmp(strbuf_text(&out), rows[i].want) != 0))
            fail_msg("%s: got \"%s\"", rows[i].value, found ? strbuf_text(&out) : "(none)");
        strbuf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(file_names_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
