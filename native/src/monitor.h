#ifndef HAWSER_MONITOR_H
#define HAWSER_MONITOR_H

#include "log.h"
#include "loop.h"
#include "oom.h"
#include "process.h"
#include "start.h"

struct control;
struct greeting;

/** Everything about one container, in one process. */
struct monitor {
  struct loop loop;
  struct scratch scratch;
  struct start start;
  const char *version;
  /** The run directory. */
  int folder;
  /** The network namespace, or -1. */
  int netns;
  struct source signals;
  struct source door;
  struct greeting *greetings;
  struct control *controls;
  /** Clients whose process has ended but who have not read all. */
  struct client *lingering;
  struct process first;
  struct process *execs;
  int64_t processes;
  /** Attach connections so far; the container starts with enough of them, or when `start`'s connection is gone. */
  int64_t attached;
  bool abandoned;
  bool run;
  /** Nobody wants the container any more, before its runtime was asked. */
  bool given_up;
  struct log log;
  struct oom oom;
  struct timer trim;
  struct timer retry;
  int64_t retry_ms;
  enum { STARTING, RUNNING, EXITED, FAILED, LEAVING } state;
  int64_t started_at;
  int64_t exited_at;
  bool oom_killed;
  const char *failed_stage;
  char *failure;
  enum { TIDY_NOT, TIDY_RUNTIME, TIDY_CGROUPS, TIDY_DONE } tidying;
  int64_t tidy_deadline_ms;
  pid_t deleting;
};

enum { PROTOCOL = 1 };

/**
 * Be the monitor of the container that `frame` describes, which came over `connection`, with its network namespace or -1;
 * all three are taken over. Returns the program's exit status when nothing of the container is left.
 */
int monitor_run(int connection, struct frame frame, int netns, const char *version);

/** A running process by its exec id (NULL: the first), or NULL. */
struct process *monitor_find(struct monitor *monitor, const char *exec_id);

/** Nanoseconds since 1970. */
int64_t monitor_now_ns(void);

#endif
