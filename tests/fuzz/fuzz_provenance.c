/* Records of provenance, as they stand beside a .part, and the extents within.
 *
 * What was read is written and read again as the same; extents ascend, keep apart and come back
 * from their text. A validator for If-Range is one of the record's own, and no weak one.
 */
#include <stdlib.h>

#include "core/extents.h"
#include "core/provenance.h"
#include "fuzz_must.h"

static void check_extents(const char *text)
{
    struct extents e, again;
    struct strbuf out = {0};
    if (!extents_parse(&e, text)) {
        must(e.n == 0);
        return;
    }
    int64_t total = 0;
    for (size_t i = 0; i < e.n; i++) {
        must(e.of[i].from >= 0 && e.of[i].from < e.of[i].to);
        must(i == 0 || e.of[i].from > e.of[i - 1].to);
        total += e.of[i].to - e.of[i].from;
    }
    must(total == extents_total(&e) && extents_front(&e) <= total);
    extents_format(&e, &out);
    must(extents_parse(&again, strbuf_text(&out)) && again.n == e.n);
    must(e.n == 0 || memcmp(again.of, e.of, e.n * sizeof *e.of) == 0);
    extents_free(&again);
    extents_clip(&e, 1000);
    must(extents_total(&e) <= 1000);
    struct extent gap;
    if (extents_next_gap(&e, 0, 1000, &gap))
        must(gap.from >= 0 && gap.from < gap.to && gap.to <= 1000);
    else
        must(extents_total(&e) == 1000);
    extents_free(&e);
    strbuf_free(&out);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void check(const struct provenance *p)
{
    struct strbuf text = {0};
    struct provenance again;
    error err;
    must(p->size >= -1 && p->written >= 0 && p->synced >= 0);
    must(memchr(p->boot_id, '\0', sizeof p->boot_id));
    provenance_format(p, &text);
    must(provenance_parse(&again, (struct span){text.p, text.n}, &err) == OK);
    must(same(p->url, again.url) && same(p->etag, again.etag) && same(p->date, again.date));
    must(same(p->last_modified, again.last_modified) && same(p->boot_id, again.boot_id));
    must(same(p->extents, again.extents) && same(p->synced_extents, again.synced_extents));
    must(p->size == again.size && p->written == again.written && p->synced == again.synced);
    const char *strong = provenance_strong_validator(p);
    must(!strong || (strong == p->etag && strncmp(strong, "W/", 2) != 0) ||
         (strong == p->last_modified && p->date));
    check_extents(p->extents);
    check_extents(p->synced_extents);
    provenance_free(&again);
    strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its exact size, once without a NUL */
    struct provenance p;
    error err;
    error_clear(&err);
    char *bare = malloc(size ? size : 1);
    if (size) {
        memcpy(text, data, size);
        memcpy(bare, data, size);
    }
    text[size] = '\0';
    status st = provenance_parse(&p, (struct span){bare, size}, &err);
    if (st == OK) {
        check(&p);
        provenance_free(&p);
    } else {
        must(st == WEIR_RECORD && err.message[0]);
    }
    check_extents(text);
    free(text);
    free(bare);
    return 0;
}
