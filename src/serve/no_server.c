/* The public functions of weir.h where weir was built without libmicrohttpd: they say so. */
#include "core/status.h"

weir_status weir_server_new(weir_server **out, weir_config *config, const char *dir,
                            weir_error *err)
{
    return fail(err, WEIR_CONFIG,
                "this weir was built without libmicrohttpd and cannot serve; "
                "install libmicrohttpd-dev and build it again");
}

void weir_server_on_request(weir_server *s, void (*on_request)(const weir_request *, void *),
                            void *user)
{
}

void weir_server_on_warning(weir_server *s, void (*on_warning)(const char *, void *), void *user)
{
}

weir_status weir_server_start(weir_server *s, weir_error *err)
{
    return weir_server_new(NULL, NULL, NULL, err);
}

const char *weir_server_url(const weir_server *s)
{
    return "";
}

uint16_t weir_server_port(const weir_server *s)
{
    return 0;
}

void weir_server_get_stats(weir_server *s, weir_server_stats *out)
{
    *out = (weir_server_stats){0};
}

bool weir_server_drain(weir_server *s, int64_t timeout_ms)
{
    return true;
}

void weir_server_stop(weir_server *s)
{
}

void weir_server_free(weir_server *s)
{
}
