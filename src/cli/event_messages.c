/* What is said while a run goes on: each failed URL at once, and with -v each retry and held host.
 *
 * Commit thread. A run of a million URLs can fail a million times: after a few errors of one class
 * the rest are left to the report and the summary.
 */
#include "cli/event_messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SAID_PER_CLASS = 20, URL_SHOWN_MAX = 1024 };

/* The URL as messages show it; the library's own messages may name it already. */
static const char *shown_url(char out[URL_SHOWN_MAX], const char *url)
{
    struct text t = text_in(out, URL_SHOWN_MAX);
    if (url)
        text_add_url(&t, url);
    return out;
}

static void say_failed(struct messages *m, const weir_result *r)
{
    const weir_error *e = r->error;
    weir_status class = e->status < WEIR_STATUS_COUNT ? e->status : WEIR_OK;
    /* Cut because the run ends: that is said once, for all. */
    if (class == WEIR_CANCELLED)
        return;
    if (class == WEIR_HTTP && r->http_status >= 0 && r->http_status < 600)
        m->http_status[r->http_status]++;
    uint64_t said = m->said[class]++;
    if (!m->verbose && said > SAID_PER_CLASS)
        return;
    const char *name = weir_status_name(class);
    if (!m->verbose && said == SAID_PER_CLASS) {
        if (m->report_path)
            screen_say(m->screen, TONE_NOTE,
                       "more %s errors are not printed here; %s names them all", name,
                       m->report_path);
        else
            screen_say(m->screen, TONE_NOTE,
                       "more %s errors are not printed here; --report FILE or -v names them all",
                       name);
        return;
    }
    char url[URL_SHOWN_MAX], place[64] = "";
    shown_url(url, r->url);
    bool named = !*url || strstr(e->message, url);
    if (class == WEIR_INPUT && r->line)
        snprintf(place, sizeof place, "line %" PRIu64 ": ", r->line);
    screen_say(m->screen, TONE_ERROR, "%s: %s%s%s%s", name, place, named ? "" : url,
               named ? "" : ": ", *e->message ? e->message : weir_status_text(class));
}

/* `written` is what a stdio function returned. */
static void check_list(struct messages *m, int written)
{
    if (written >= 0 || m->list_gone)
        return;
    if (errno != EPIPE)
        screen_say(m->screen, TONE_ERROR, "the names cannot be written to standard output: %s",
                   strerror(errno));
    m->list_gone = true;
    weir_engine_cancel(m->engine);
}

void messages_begin_list(struct messages *m)
{
    if (!m->no_names)
        check_list(m, printf("url\tname\n"));
}

void messages_end_list(struct messages *m)
{
    if (m->list_names)
        check_list(m, fflush(stdout));
}

static void list_name(struct messages *m, const weir_result *r)
{
    if (r->outcome != WEIR_SKIPPED || r->duplicate || !r->url || m->list_gone)
        return;
    if (m->no_names)
        check_list(m, printf("%s\n", r->url));
    else if (r->path)
        check_list(m, printf("%s\t%s\n", r->url, r->path));
}

static void say_retry(struct messages *m, const weir_event *e)
{
    char url[URL_SHOWN_MAX], wait[SHOW_MAX];
    const char *why = e->error ? e->error->message : "";
    shown_url(url, e->url);
    bool named = !*url || strstr(why, url);
    screen_say(m->screen, TONE_NOTE, "try %d failed, again in %s: %s%s%s", e->attempt,
               show_duration(wait, e->wait_ms), named ? "" : url, named ? "" : ": ", why);
}

static void say_held(struct messages *m, const weir_event *e)
{
    char wait[SHOW_MAX];
    screen_say(m->screen, TONE_NOTE, "%s is held for %s%s%s", e->host ? e->host : "a host",
               show_duration(wait, e->wait_ms), e->error && *e->error->message ? ": " : "",
               e->error ? e->error->message : "");
}

void messages_on_event(const weir_event *event, void *user)
{
    struct messages *m = user;
    switch (event->kind) {
    case WEIR_EVENT_RETRY:
        if (m->verbose && !m->quiet)
            say_retry(m, event);
        break;
    case WEIR_EVENT_HELD:
        if (m->verbose && !m->quiet)
            say_held(m, event);
        break;
    case WEIR_EVENT_END:
        if (event->result->outcome == WEIR_FAILED && event->result->error)
            say_failed(m, event->result);
        else if (m->list_names)
            list_name(m, event->result);
        break;
    case WEIR_EVENT_WARNING:
        if (!m->quiet && event->text)
            screen_say(m->screen, TONE_WARNING, "%s", event->text);
        break;
    case WEIR_EVENT_REMOVED:
        if (!m->quiet && event->text)
            screen_say(m->screen, TONE_NOTE, "%s %s", m->list_names ? "would remove" : "removed",
                       event->text);
        break;
    }
}
