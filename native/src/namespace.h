#ifndef HAWSER_NAMESPACE_H
#define HAWSER_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

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

/**
 * Be in the mount namespace that `namespace_enter` left, the host's, until `namespace_return` gets the descriptor that this
 * gives; -1 with errno.
 */
int namespace_visit_host(void);

/** As `namespace_visit_host`, in the mount namespace of another monitor. */
int namespace_visit_process(pid_t pid);

/** Come back; the descriptor is closed. False with errno: this process is in a namespace where it must not work on. */
bool namespace_return(int own);

/** Give up the way to the host's namespace: no more visits. */
void namespace_close_host(void);

/**
 * A mount appears in every mount that its parent is a peer of. Let the mount that `path` is on, wherever it begins, only
 * receive. The launcher has prepared the usual place; this is for any other.
 */
void namespace_receive_only(const char *path);

#endif
