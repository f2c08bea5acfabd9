#ifndef HAWSER_BINDS_H
#define HAWSER_BINDS_H

#include "start.h"

/**
 * Bring what the engine's host has at each path `bind` of the message to `<dir>/binds/<n>`, counted from 0: the mount there
 * and all below it, as they are now, each in the peer group that it has on the host. So a container that binds it shares
 * with the host what it asks to share. A bind may instead be a part of what is there, or layers as one tree, and show its
 * files as others' (`bind-within`, `bind-layer` with `bind-upper`, `bind-uids`). `folder` is the run directory. NULL, or a text that
 * says why not; the caller frees it.
 */
char *binds_mount(const struct start *start, int folder);

/** Take them away again, without a trace on the host. */
void binds_unmount(const struct start *start, int folder);

#endif
