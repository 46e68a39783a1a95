/* GET and HEAD: files, their compressed siblings, ranges, and what leads to a folder. The
 * exchange's worker.
 */
#ifndef WEIR_SERVE_SERVE_FILE_H
#define WEIR_SERVE_SERVE_FILE_H

#include "serve/exchange.h"

/* Answers the request for x->path. */
enum MHD_Result serve_file(struct exchange *x);

#endif
