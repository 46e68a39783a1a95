/* Reports: one JSON object a line for each finished URL, and the failed records as a list.
 *
 * Both are written by the commit thread, through buffers of their own that are flushed when a group
 * has been committed, and both have one exporter each, so that --failed, the journal's export and
 * the summary's hint agree. Secrets (user and password in a URL) are left out.
 */
#ifndef WEIR_REPORT_REPORT_H
#define WEIR_REPORT_REPORT_H

#include "core/job.h"
#include "core/status.h"

struct report;

/* `path` "-" or "/dev/stdout" is standard output. Truncates a file that exists. DISK when it cannot
 * be written. */
status report_open(struct report **out, const char *path, error *err);
/* DESIGN 3, "Report line". The job gives extra columns. */
status report_write(struct report *r, const struct job *job, const weir_result *result, error *err);
status report_flush(struct report *r, error *err);
status report_close(struct report *r, error *err); /* takes NULL */

/* The list of failed records: TSV with a header, which `-i` takes again. The columns are url, name,
 * id; then size, digests, mirrors and the records' other columns. The titles stand again where a
 * record has more than those before it, which -i understands. Rows gather in "PATH.new", which
 * takes the name PATH at the end; after a run without failures no list of that name remains.
 * Control characters cannot occur in a normalised URL; in other cells they are dropped. A file of
 * that name that is no such list is never replaced: USAGE. */
struct failed_list;
status failed_open(struct failed_list **out, const char *path, error *err);
status failed_write(struct failed_list *f, const struct job *job, error *err);
/* The run was stopped before its end: a list of an earlier run stays as it is, since it may have
 * been the input, and hold what has not been tried yet. */
void failed_keep_earlier(struct failed_list *f);
status failed_flush(struct failed_list *f, error *err);
status failed_close(struct failed_list *f, error *err); /* takes NULL */

#endif
