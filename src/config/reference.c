/* config/weir.ini, made from the option table. Any thread.
 *
 * A line of prose begins with "; ", a setting with ";": whoever takes the latter away has the
 * default written out, and a test does just that.
 */
#include "config/reference.h"

#include "config/option_table.h"

static const char essay[] =
    "; weir.ini: every option of weir with its default.\n"
    ";\n"
    "; weir reads $XDG_CONFIG_HOME/weir/weir.ini (else ~/.config/weir/weir.ini) where it exists, "
    "or what\n"
    "; -c FILE names. To change an option, take the ; in front of it away. The command line beats "
    "this\n"
    "; file, this file beats the defaults. A repeated key adds to a list and replaces anything "
    "else.\n"
    "; A value is taken as it stands, without quotes; a comment has a line of its own.\n"
    ";\n"
    "; sizes   64k 20M 1G are powers of 1000, 64Ki 20Mi 1Gi of 1024\n"
    "; times   200ms 30s 5m 1h\n"
    "; rates   50/s 600/m 1000/h\n";

static const char host_example[] =
    "\n"
    "; Options for one host, or with *. in front for all names below one. Any key of [limits] but "
    "rate\n"
    "; and bandwidth, and any of [retry] and [http], with its section in front. Where several "
    "sections\n"
    "; match, the longest name wins, key by key. A list here replaces the list above.\n"
    ";[host \"data.example.org\"]\n"
    ";limits.host_rate = 5/s\n"
    ";retry.retries = 10\n"
    ";http.header = X-Purpose: mirror\n";

static void add_option(struct strbuf *out, const weir_option *o)
{
    strbuf_addf(out, "; %s\n", o->help);
    strbuf_addf(out, ";   %s", o->allowed);
    if (o->flag)
        strbuf_addf(out, " (--%s%s%s)", o->flag, o->arg ? " " : "", o->arg ? o->arg : "");
    strbuf_addf(out, "\n;%s =%s%s\n", o->key, *o->value ? " " : "", o->value);
}

void config_write_reference(struct strbuf *out)
{
    const char *section = "";
    const weir_option *o;
    strbuf_adds(out, essay);
    for (size_t i = 0; (o = weir_option_at(i)) != NULL; i++) {
        if (strcmp(section, o->section) != 0)
            strbuf_addf(out, "\n[%s]\n", o->section);
        section = o->section;
        add_option(out, o);
    }
    strbuf_adds(out, host_example);
}
