#ifndef HAWSER_OVERLAY_H
#define HAWSER_OVERLAY_H

#include <stdint.h>

#include "start.h"

/** Layers to be mounted as one tree. */
struct overlay {
  const struct frame *frame;
  /** The key of the layers' folders, topmost first, and the bind that they are of: `frame_next_of`. */
  const char *key;
  int64_t bind;
  /** The writable pair; NULL: the tree is read-only, whatever a runtime does. */
  const char *upper;
  const char *work;
  /** A folder; empty when nothing can be written, since it is then the second layer that overlay wants. */
  const char *place;
};

/** NULL, or what went wrong in words for people, which the caller frees. */
char *overlay_mount_layers(const struct overlay *overlay);

/**
 * Mount the container's root where `start->rootfs` says, seen by nobody but this mount namespace and what is made from it:
 *
 *   lower…, upper, work   overlay, writable
 *   lower…                overlay, read-only whatever a runtime does
 *   none                  nothing to do: the folder is the root already
 *   uids, gids            files are seen as others', and what others write is on the disk as if they had not been
 *
 * NULL, or what went wrong in words for people, which the caller frees.
 */
char *overlay_mount(const struct start *start);

/** Undo it; returns when the file system is gone, or at least out of sight when somebody else still uses it. */
void overlay_unmount(const struct start *start);

#endif
