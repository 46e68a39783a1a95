/* The thread that syncs uploads and gives them their names, as many at once as are waiting: a sync
 * may take seconds, and a worker has other clients. Their connections are suspended meanwhile.
 */
#ifndef WEIR_SERVE_UPLOAD_COMMIT_H
#define WEIR_SERVE_UPLOAD_COMMIT_H

#include "serve/upload_request.h"

status upload_commit_start(struct upload_commit **out, struct weir_server *server, error *err);
/* Takes a sealed upload; its connection is suspended already, and resumed when upload->err tells
 * what became of it. */
void upload_commit_add(struct upload_commit *c, struct upload *u);
/* Commits what is there, and ends the thread. Takes NULL. */
void upload_commit_stop(struct upload_commit *c);

#endif
