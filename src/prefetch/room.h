/* Room: which file gives way when the budget is full, and when one has to wait instead. A part of
 * the window (window.h), pure as it is.
 *
 * What was quarantined goes first; then what is wanted in a later epoch only; and a file that
 * somebody still has to read in this one goes only where no room comes by itself: where none of
 * those who are there can go on, or what they are done with stays because of others who cannot.
 * Always the furthest next use first, never what somebody has in hand or waits for.
 *
 * So where the list tells the sizes, and all take their positions in order and do not go back (by
 * beginning again behind a commit), no shard is fetched twice in an epoch, whatever the budget: a
 * cursor's shards come in its order, so that when all who are there wait for one that is missing,
 * nothing of theirs is there that they have not in hand. A second time it is fetched when who is
 * not there (he has not come yet, or his connection is cut) has files beyond his next one that
 * those who wait need the room of, when somebody goes back, and when a size that is learnt only on
 * the way finds no room.
 */
#ifndef WEIR_PREFETCH_ROOM_H
#define WEIR_PREFETCH_ROOM_H

#include "prefetch/window.h"

bool room_fits(const struct window *w, int64_t bytes);
/* Makes room for that position out of what is wanted later; NO_SEQ: whenever it is wanted. False:
 * nothing may go now. */
bool room_make(struct window *w, uint64_t seq, struct window_action *out);
/* Is a file being removed? */
bool room_comes_at_once(const struct window *w);
/* Can the position never be had, because of its size beside what always stays? */
bool room_never(struct window *w, uint64_t seq, int64_t size, struct window_action *out);

#endif
