#ifndef HAWSER_OOM_H
#define HAWSER_OOM_H

#include <stdbool.h>

#include "frame.h"
#include "loop.h"

/**
 * Watches the container's memory cgroup for kills by the kernel: cgroup v1 by an eventfd on memory.oom_control, v2 by
 * inotify on memory.events. Both only say "look again"; the truth is the counter oom_kill.
 */
struct oom {
  struct loop *loop;
  const struct frame *start;
  struct source source;
  /** Kills that `on_kill` has been called for. */
  long long seen;
  void (*on_kill)(struct oom *oom);
};

/** All closed; the three must outlive it. */
void oom_init(struct oom *oom, struct loop *loop, const struct frame *start, void (*on_kill)(struct oom *oom));

/** Begin to watch; without a memory cgroup nothing happens. */
void oom_watch(struct oom *oom);

/** Whether the kernel has killed so far, by the counter; calls `on_kill` when that is news. */
bool oom_check(struct oom *oom);

void oom_close(struct oom *oom);

#endif
