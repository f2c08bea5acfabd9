#ifndef HAWSER_SHM_H
#define HAWSER_SHM_H

#include "start.h"

/**
 * Mount at `<dir>/shm` the memory that containers of one IPC namespace share, seen by nobody but this mount namespace and what is
 * made from it: a new tmpfs (`shm`), or what another monitor has (`shm-from`, `shm-monitor`). It lasts as long as the last of its
 * mounts. Nothing when none is asked for. NULL, or a text that says why not; the caller frees it.
 */
char *shm_mount(const struct start *start);

/** Take it away again. */
void shm_unmount(const struct start *start);

#endif
