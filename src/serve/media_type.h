/* Content-Type by the ending of a name. Pure; any thread. */
#ifndef WEIR_SERVE_MEDIA_TYPE_H
#define WEIR_SERVE_MEDIA_TYPE_H

/* Never NULL; "application/octet-stream" when the ending says nothing. */
const char *media_type_of(const char *name);

#endif
