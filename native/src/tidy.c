#include "tidy.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "binds.h"
#include "cgroup.h"
#include "complain.h"
#include "file.h"
#include "greeting.h"
#include "overlay.h"
#include "runtime.h"
#include "shm.h"
#include "spawn.h"

/** After this long, what cannot be removed stays. */
enum { PATIENCE_MS = 5000, RETRY_MAX_MS = 64 };

static void retry(struct timer *timer) {
  (void)timer; // that the loop has woken up is all it is for
}

void tidy_begin(struct monitor *monitor) {
  monitor->tidying = TIDY_RUNTIME;
  monitor->tidy_deadline_ms = loop_now_ms() + PATIENCE_MS;
  monitor->retry = (struct timer){.fire = retry};
  monitor->retry_ms = 1;
  for (const struct process *exec = monitor->execs; exec != NULL; exec = exec->next) {
    if (exec->pid > 0) kill(exec->pid, SIGKILL);
    if (exec->runtime > 0) spawn_kill(exec->runtime);
  }
  if (!monitor->start.runtime_delete || !monitor->run) return;
  if (monitor->first.runtime_end != RUNTIME_LET) return; // it has not answered, and will not now
  char *failure = runtime_delete(monitor);
  if (failure != NULL) complain(failure, 0);
  free(failure);
}

/** Whether there is to be another try, in a moment. */
static bool try_again(struct monitor *monitor, const char *what) {
  if (loop_now_ms() >= monitor->tidy_deadline_ms) {
    complain(what, 0);
    return false;
  }
  if (monitor->retry.armed) return true;
  loop_arm(&monitor->loop, &monitor->retry, monitor->retry_ms);
  if (monitor->retry_ms < RETRY_MAX_MS) monitor->retry_ms *= 2;
  return true;
}

static void remove_files(const struct monitor *monitor) {
  static const char *const names[] = {"monitor.sock", "netns", "pid", "tty", "runtime.log"};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) unlinkat(monitor->folder, names[index], 0);
  remove_tree(monitor->folder, "runtime");
}

bool tidy_step(struct monitor *monitor) {
  if (monitor->tidying == TIDY_RUNTIME) {
    if (monitor->deleting > 0) {
      if (try_again(monitor, "the runtime's delete does not end")) return false;
      spawn_kill(monitor->deleting);
    }
    monitor->tidying = TIDY_CGROUPS;
  }
  if (monitor->tidying == TIDY_CGROUPS) {
    if (monitor->retry.armed) return false;
    const bool removed = cgroups_remove(&monitor->start.frame);
    if (!removed) cgroups_kill(&monitor->start.frame);
    if (!removed && try_again(monitor, "cannot remove a cgroup")) return false;
    // Their processes were killed; their ends are still to be told.
    if (monitor->execs != NULL && try_again(monitor, "an exec session does not end")) return false;
    loop_disarm(&monitor->loop, &monitor->retry);
    oom_close(&monitor->oom);
    greeting_close_all(monitor);
    binds_unmount(&monitor->start, monitor->folder);
    shm_unmount(&monitor->start);
    overlay_unmount(&monitor->start);
    remove_files(monitor);
    if (monitor->netns >= 0) close(monitor->netns);
    monitor->netns = -1;
    monitor->tidying = TIDY_DONE;
  }
  return monitor->tidying == TIDY_DONE;
}
