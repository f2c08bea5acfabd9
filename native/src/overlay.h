#ifndef HAWSER_OVERLAY_H
#define HAWSER_OVERLAY_H

#include "start.h"

/**
 * Mount the container's root where `start->rootfs` says, seen by nobody but this mount namespace and what is made from it:
 *
 *   lower…, upper, work   overlay, writable
 *   lower…                overlay, read-only whatever a runtime does
 *   none                  nothing to do: the folder is the root already
 *
 * NULL, or what went wrong in words for people, which the caller frees.
 */
char *overlay_mount(const struct start *start);

/** Undo it; returns when the file system is gone, or at least out of sight when somebody else still uses it. */
void overlay_unmount(const struct start *start);

#endif
