/* Reports: one JSON object a line for each finished URL, and the failed records as a list.
 *
 * Both are written by the commit thread, through buffers of their own that are flushed when a group has been
 * committed, and both have one exporter each, so that --failed, the journal's export and the
 * summary's hint agree. Secrets (user and password in a URL) are left out.
 */
#ifndef WEIR_REPORT_REPORT_H
#define WEIR_REPORT_REPORT_H

#include "core/job.h"
#include "core/status.h"

struct report;

/* `path` "-" or "/dev/stdout" is standard output. Truncates a file that exists. DISK when it cannot be written. */
status report_open(struct report **out, const char *path, error *err);
/* DESIGN 3, "Report line". The job gives extra columns. */
status report_write(struct report *r, const struct job *job, const weir_result *result, error *err);
status report_flush(struct report *r, error *err);
status report_close(struct report *r, error *err); /* takes NULL */

/* The list of failed records: TSV with a header (url, name, id, and the records' other columns in `extra`
 * when the first one had any), which `-i` takes again. Made at the first failure; an earlier file of that name is
 * removed at open, so that none remains after a run without failures. The header row is always url, name, id. TABs
 * and newlines cannot occur in a normalised URL; in the others they are dropped. */
struct failed_list;
status failed_open(struct failed_list **out, const char *path, error *err);
status failed_write(struct failed_list *f, const struct job *job, error *err);
status failed_flush(struct failed_list *f, error *err);
status failed_close(struct failed_list *f, error *err); /* takes NULL */

#endif
