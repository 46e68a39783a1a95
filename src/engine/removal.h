/* save.delete: what the lists no longer name is removed, when they have been read whole and the run
 * has ended by itself. Feeder thread.
 */
#ifndef WEIR_ENGINE_REMOVAL_H
#define WEIR_ENGINE_REMOVAL_H

#include "engine/admission.h"

/* Only files that carry the mark of this program, and none whose name the run has claimed. In a dry
 * run they are only told. DISK: the directory cannot be read. */
status removal_run(struct admission *a, error *err);

#endif
