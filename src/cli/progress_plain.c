/* Progress as lines: one for people whose output is kept in a log, one for programs. Signal thread.
 */
#include "cli/progress.h"

#include <inttypes.h>

void progress_plain_line(struct text *out, const struct progress_sample *sample)
{
    const weir_stats *s = &sample->stats;
    char number[SHOW_MAX];
    text_add(out, show_count(number, s->done + s->skipped));
    text_addf(out, " of %s%s files", show_count(number, s->found), s->all_found ? "" : "+");
    if (s->failed)
        text_addf(out, ", %s failed", show_count(number, s->failed));
    text_addf(out, ", %s%s", show_bytes(number, s->bytes), s->sent ? " sent" : "");
    text_addf(out, ", %s", show_speed(number, sample->bps));
    if (s->waiting > 0)
        text_addf(out, ", %s waiting", show_count(number, (uint64_t)s->waiting));
    if (sample->left_s >= 0)
        text_addf(out, ", %s left", show_clock(number, sample->left_s));
}

void progress_json_line(struct text *out, const struct progress_sample *sample, bool final)
{
    const weir_stats *s = &sample->stats;
    text_addf(out,
              "{\"elapsed_ms\":%" PRId64 ",\"found\":%" PRIu64 ",\"all_found\":%s,\"done\":%" PRIu64
              ",\"skipped\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"retried\":%" PRIu64,
              s->elapsed_ms, s->found, s->all_found ? "true" : "false", s->done, s->skipped,
              s->failed, s->retried);
    text_addf(out, ",\"bytes\":%" PRId64 ",\"speed_bps\":%.0f,\"in_flight\":%d,\"waiting\":%d",
              s->bytes, sample->bps, s->in_flight, s->waiting);
    if (s->sent)
        text_addf(out, ",\"sent\":%" PRId64, s->sent);
    if (s->lines_in)
        text_addf(out, ",\"lines_in\":%" PRIu64 ",\"lines_out\":%" PRIu64, s->lines_in,
                  s->lines_out);
    if (sample->left_s >= 0 && !final)
        text_addf(out, ",\"left_s\":%" PRId64, sample->left_s);
    text_add(out, final ? ",\"final\":true}" : "}");
}
