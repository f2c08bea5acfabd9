#ifndef HAWSER_NAMESPACE_H
#define HAWSER_NAMESPACE_H

#include <stdbool.h>

/**
 * Move this process to a mount namespace of its own, from which monitors and containers come:
 *
 *   - what the host mounts appears here, nothing goes back;
 *   - mounts are shared again below that, so that containers can share them with each other, but for `exec_root`, where
 *     roots are mounted and nobody else is to see them;
 *   - the root is a mount, as pivot_root needs it, even when it was entered with chroot;
 *   - on a hybrid cgroup host there is only the v1 part, so that an OCI runtime does not mix the two; where the unified
 *     hierarchy was, there is an empty file system;
 *   - what other engines keep mounted for their containers is gone: each such mount would cost every start here.
 *
 * False after a complaint.
 */
bool namespace_enter(const char *exec_root);

/**
 * Give this process, a child of one that has entered, a mount namespace for one container. OCI runtimes make folders in
 * the unified hierarchy even when it is none: each container's go with its namespace. False with errno set.
 */
bool namespace_unshare(void);

#endif
