#ifndef HAWSER_CGROUP_H
#define HAWSER_CGROUP_H

#include <stdbool.h>

#include "frame.h"

/*
 * The container's cgroups, which are the values of `cgroup` in a start message: one folder on cgroup v2, one for each
 * controller on v1.
 */

/** Kill every process in them and below. One pass: what is forked meanwhile may be missed on v1 without a freezer. */
void cgroups_kill(const struct frame *start);

/** Remove them with all below. False when one is still busy: the kernel needs a moment for dead processes, or one lives. */
bool cgroups_remove(const struct frame *start);

#endif
