/* See prefetch_line.h. */
#include "cli/prefetch_line.h"

#include <inttypes.h>

#include "weir/prefetch.h"

static void add_for_people(struct text *out, const weir_prefetch_stats *s)
{
    char n[SHOW_MAX], m[SHOW_MAX];
    text_addf(out, "shard %s of %s: ", show_count(n, s->position), show_count(m, s->shards));
    text_addf(out, "%s ready, ", show_count(n, s->ready));
    text_addf(out, "%s downloading, ", show_count(n, s->downloading));
    text_addf(out, "%s waiting; disk %s", show_count(n, s->waiting), show_bytes(m, s->disk_bytes));
    if (s->budget_bytes)
        text_addf(out, " of %s", show_bytes(n, s->budget_bytes));
    text_addf(out, "; %s stall%s", show_count(n, s->stalls), s->stalls == 1 ? "" : "s");
    if (s->bad)
        text_addf(out, "; %s bad", show_count(n, s->bad));
}

static void add_json(struct text *out, const weir_prefetch_stats *s, bool final)
{
    text_addf(out,
              "{\"elapsed_ms\":%" PRId64 ",\"shards\":%" PRIu64 ",\"position\":%" PRIu64
              ",\"ready\":%" PRIu64 ",\"downloading\":%" PRIu64 ",\"waiting\":%" PRIu64,
              s->elapsed_ms, s->shards, s->position, s->ready, s->downloading, s->waiting);
    text_addf(out,
              ",\"delivered\":%" PRIu64 ",\"released\":%" PRIu64 ",\"stalls\":%" PRIu64
              ",\"stalled_ms\":%" PRId64 ",\"ahead\":%" PRIu64,
              s->delivered, s->released, s->stalls, s->stalled_ms, s->ahead);
    text_addf(out,
              ",\"disk_bytes\":%" PRId64 ",\"disk_peak_bytes\":%" PRId64 ",\"bytes\":%" PRId64
              ",\"fetched\":%" PRIu64 ",\"refetched\":%" PRIu64 ",\"bad\":%" PRIu64 "%s}",
              s->disk_bytes, s->disk_peak_bytes, s->received_bytes, s->fetched, s->refetched,
              s->bad, final ? ",\"final\":true" : "");
}

void prefetch_line(struct text *out, enum progress_style style, bool final, void *user)
{
    weir_prefetch_stats s;
    weir_prefetch_look(user, &s);
    if (style == PROGRESS_JSON)
        add_json(out, &s, final);
    else
        add_for_people(out, &s);
}

void prefetch_summary(struct text *out, void *user)
{
    weir_prefetch_stats s;
    char n[SHOW_MAX], m[SHOW_MAX], d[SHOW_MAX];
    weir_prefetch_look(user, &s);
    text_addf(out, "%s shard%s given out, %s fetched, %s", show_count(n, s.delivered),
              s.delivered == 1 ? "" : "s", show_count(m, s.fetched),
              show_bytes(d, s.received_bytes));
    text_addf(out, " in %s; ", show_duration(n, s.elapsed_ms));
    text_addf(out, "at most %s on disk; %s stall%s", show_bytes(n, s.disk_peak_bytes),
              show_count(m, s.stalls), s.stalls == 1 ? "" : "s");
    if (s.stalls)
        text_addf(out, ", %s in all", show_duration(n, s.stalled_ms));
    if (s.bad)
        text_addf(out, "; %s bad", show_count(n, s.bad));
}
