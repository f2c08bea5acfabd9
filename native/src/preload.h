#ifndef HAWSER_PRELOAD_H
#define HAWSER_PRELOAD_H

/**
 * Keep a copy of the program at `path` in memory, sealed, for this process and its children. An OCI runtime lets no
 * container near its file: it runs itself a second time, from such a copy or a read-only mount, unless it is one already.
 * Started from here it is loaded once. Nothing happens, after a complaint, when that cannot be done.
 */
void preload_keep(const char *path);

/** The copy of what is at `path` now, as a descriptor that is closed on exec; -1 when there is none. */
int preload_find(const char *path);

#endif
