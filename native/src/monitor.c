#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "binds.h"
#include "complain.h"
#include "control.h"
#include "file.h"
#include "greeting.h"
#include "namespace.h"
#include "overlay.h"
#include "record.h"
#include "runtime.h"
#include "session.h"
#include "shm.h"
#include "spawn.h"
#include "tidy.h"

/** Memory that a burst has touched goes back to the kernel after this long. */
enum { TRIM_MS = 1000 };

/** How long an engine that does not read its last notices is waited for. */
enum { FAREWELL_MS = 2000 };

int64_t monitor_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct process *monitor_find(struct monitor *monitor, const char *exec_id) {
  if (exec_id == NULL) return monitor->first.pid > 0 ? &monitor->first : NULL;
  for (struct process *exec = monitor->execs; exec != NULL; exec = exec->next) {
    if (strcmp(exec->exec_id, exec_id) == 0) return exec->pid > 0 ? exec : NULL;
  }
  return NULL;
}

/* Notices */

static void notify(struct monitor *monitor, const char *kind) {
  struct message notice = {0};
  message_open(&notice, kind);
  control_notify(monitor, &notice);
}

static void notify_listening(struct monitor *monitor) {
  struct message notice = {0};
  message_open(&notice, "listening");
  message_add_number(&notice, "monitor", getpid());
  control_notify(monitor, &notice);
}

static void notify_started(struct monitor *monitor) {
  struct message notice = {0};
  message_open(&notice, "started");
  message_add_number(&notice, "pid", monitor->first.pid);
  message_add_number(&notice, "started-at", monitor->started_at);
  control_notify(monitor, &notice);
}

static void notify_exited(struct monitor *monitor) {
  struct message notice = {0};
  message_open(&notice, "exited");
  message_add_number(&notice, "code", monitor->first.code);
  message_add_number(&notice, "signal", monitor->first.signal);
  message_add_number(&notice, "oom", monitor->oom_killed ? 1 : 0);
  message_add_number(&notice, "exited-at", monitor->exited_at);
  control_notify(monitor, &notice);
}

static void notify_exec_exited(struct monitor *monitor, const struct process *exec) {
  struct message notice = {0};
  message_open(&notice, "exec-exited");
  message_add(&notice, "exec", exec->exec_id);
  message_add_number(&notice, "code", exec->code);
  control_notify(monitor, &notice);
}

static void notify_failed(struct monitor *monitor) {
  struct message notice = {0};
  message_open(&notice, "failed");
  message_add(&notice, "stage", monitor->failed_stage);
  message_add(&notice, "message", monitor->failure);
  control_notify(monitor, &notice);
}

static void killed_for_memory(struct oom *oom) {
  notify(OWNER(oom, struct monitor, oom), "oom");
}

static void client_detached(struct streams *streams) {
  notify(OWNER(streams, struct monitor, first.streams), "detached");
}

/* The container's life */

/** The container does not start; takes `failure` over. */
static void fail(struct monitor *monitor, const char *stage, char *failure) {
  monitor->state = FAILED;
  monitor->failed_stage = stage;
  monitor->failure = failure;
  tidy_begin(monitor);
}

static void started(struct monitor *monitor) {
  monitor->state = RUNNING;
  monitor->started_at = monitor_now_ns();
  notify_started(monitor);
  streams_start(&monitor->first.streams);
  log_reopen(&monitor->log);
  oom_watch(&monitor->oom);
}

static void exited(struct monitor *monitor) {
  monitor->state = EXITED;
  monitor->oom_killed = oom_check(&monitor->oom);
  log_close(&monitor->log);
  record_exit(monitor);
  notify_exited(monitor);
  streams_close(&monitor->first.streams, &monitor->lingering);
  tidy_begin(monitor);
}

static void exec_ended(struct monitor *monitor, struct process *exec) {
  record_exec_exit(monitor, exec);
  notify_exec_exited(monitor, exec);
  streams_close(&exec->streams, &monitor->lingering);
}

/** Drop the exec sessions that have come to their end. */
static void sweep_execs(struct monitor *monitor) {
  for (struct process **link = &monitor->execs; *link != NULL;) {
    struct process *exec = *link;
    if (exec->runtime > 0 || exec->pid > 0 || !streams_ended(&exec->streams)) {
      link = &exec->next;
      continue;
    }
    if (exec->reaped) exec_ended(monitor, exec);
    *link = exec->next;
    free(exec->exec_id);
    free(exec);
  }
}

static bool may_run(const struct monitor *monitor) {
  if (monitor->state != STARTING || monitor->run) return false;
  return monitor->attached >= monitor->start.attach || monitor->abandoned;
}

/** What follows from the last event; each step is taken as soon as what it waits for is there. */
static void advance(struct monitor *monitor) {
  if (monitor->given_up && monitor->state == STARTING) fail(monitor, "runtime", copy_text("the start was given up"));
  if (may_run(monitor)) {
    monitor->run = true;
    char *failure = runtime_run(monitor);
    if (failure != NULL) fail(monitor, "runtime", failure);
  }
  if (monitor->state == RUNNING && monitor->first.reaped && streams_ended(&monitor->first.streams)) exited(monitor);
  sweep_execs(monitor);
  if ((monitor->state == EXITED || monitor->state == FAILED) && tidy_step(monitor)) {
    if (monitor->state == EXITED) {
      notify(monitor, "gone");
    } else {
      notify_failed(monitor);
      streams_close(&monitor->first.streams, &monitor->lingering);
    }
    monitor->state = LEAVING;
    loop_arm(&monitor->loop, &monitor->retry, FAREWELL_MS);
  }
  if (monitor->state == LEAVING) {
    if (monitor->retry.armed) control_close_idle(monitor);
    else control_close_all(monitor);
  }
}

/* Children */

static void runtime_program_ended(struct monitor *monitor, struct process *process, int status) {
  char *failure = runtime_ended(monitor, process, status);
  if (process == &monitor->first) {
    if (failure == NULL) started(monitor);
    else fail(monitor, "runtime", failure);
    return;
  }
  if (failure == NULL) session_exec_started(process);
  else session_exec_failed(monitor, process, failure);
  free(failure);
}

static void child_ended(struct monitor *monitor, pid_t pid, int status) {
  if (pid == monitor->deleting) {
    monitor->deleting = 0;
    loop_disarm(&monitor->loop, &monitor->retry);
    return;
  }
  struct process *process = &monitor->first;
  if (process->pid != pid) {
    for (process = monitor->execs; process != NULL && process->pid != pid; process = process->next) continue;
  }
  if (process == NULL) return; // somebody's orphan
  process_reaped(process, status);
  if (process == &monitor->first) monitor->exited_at = monitor_now_ns();
  streams_exited(&process->streams);
}

static struct process *next_process(struct monitor *monitor, const struct process *process) {
  return process == &monitor->first ? monitor->execs : process->next;
}

/**
 * Reap what has ended. While a runtime's program runs, there may be a child that we do not know by its number yet, so
 * nobody unknown may be reaped.
 */
static void reap(struct monitor *monitor) {
  int status;
  bool starting = false;
  for (struct process *process = &monitor->first; process != NULL; process = next_process(monitor, process)) {
    if (process->runtime == 0) continue;
    if (waitpid(process->runtime, &status, WNOHANG) > 0) runtime_program_ended(monitor, process, status);
    else starting = true;
  }
  if (!starting) {
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) child_ended(monitor, pid, status);
    return;
  }
  for (struct process *process = &monitor->first; process != NULL; process = next_process(monitor, process)) {
    if (process->pid > 0 && waitpid(process->pid, &status, WNOHANG) > 0) child_ended(monitor, process->pid, status);
  }
}

static void signals_ready(struct source *source, uint32_t events) {
  struct signalfd_siginfo info;
  (void)events;
  while (read(source->fd, &info, sizeof info) > 0) continue;
  reap(OWNER(source, struct monitor, signals));
}

/* Beginning and end */

static void trim(struct timer *timer) {
  struct monitor *monitor = OWNER(timer, struct monitor, trim);
  scratch_trim(&monitor->scratch);
  log_trim(&monitor->log);
  malloc_trim(0);
  program_trim();
}

static bool open_signals(struct monitor *monitor) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_SETMASK, &set, NULL);
  monitor->signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
  if (monitor->signals.fd < 0) return false;
  loop_watch(&monitor->loop, &monitor->signals, EPOLLIN);
  return true;
}

/** What has to stand before anybody can be told anything. False with errno. */
static bool open_monitor(struct monitor *monitor) {
  ignore_ending_signals();
  prctl(PR_SET_NAME, "hawser-monitor");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  setsid();
  monitor->folder = open(monitor->start.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (monitor->folder < 0 || !loop_open(&monitor->loop) || !scratch_open(&monitor->scratch)) return false;
  if (!open_signals(monitor)) return false;
  monitor->door.fd = listen_in(monitor->folder, "monitor.sock");
  if (monitor->door.fd < 0) return false;
  greeting_listen(monitor);
  return true;
}

/** `<dir>/netns` names our descriptor. False with errno. */
static bool link_network(const struct monitor *monitor) {
  if (monitor->netns < 0) return true;
  char pid[NUMBER_SIZE], fd[NUMBER_SIZE];
  char *target = join_text("/proc/", number_text(getpid(), pid), "/fd/", number_text(monitor->netns, fd), NULL);
  const bool done = symlinkat(target, monitor->folder, "netns") == 0;
  free(target);
  return done;
}

static void prepare(struct monitor *monitor) {
  char *failure = NULL;
  if (!namespace_unshare()) failure = join_text("Cannot make a mount namespace: ", error_text(errno), NULL);
  else if (!link_network(monitor)) failure = join_text("Cannot link the network namespace: ", error_text(errno), NULL);
  else failure = overlay_mount(&monitor->start);
  if (failure == NULL) failure = shm_mount(&monitor->start);
  if (failure == NULL) failure = binds_mount(&monitor->start, monitor->folder);
  namespace_close_host();
  if (failure != NULL) fail(monitor, "mount", failure);
}

static int refuse(int connection, struct start *start, const char *stage, const char *why) {
  struct message answer = {0};
  message_open(&answer, "failed");
  message_add(&answer, "stage", stage);
  message_add(&answer, "message", why);
  message_send(&answer, connection);
  close(connection);
  frame_free(&start->frame);
  return EXIT_FAILURE;
}

static void close_monitor(struct monitor *monitor) {
  loop_close(&monitor->loop, &monitor->signals);
  close(monitor->loop.epoll);
  close(monitor->folder);
  free(monitor->failure);
  frame_free(&monitor->start.frame);
}

int monitor_run(int connection, struct frame frame, int netns, const char *version) {
  struct monitor monitor = {.version = version, .netns = netns, .trim = {.fire = trim}};
  const char *problem = start_parse(&monitor.start, frame);
  if (problem != NULL) return refuse(connection, &monitor.start, "protocol", problem);
  complain_as(monitor.start.id);
  if (!open_monitor(&monitor)) return refuse(connection, &monitor.start, "internal", error_text(errno));
  const struct start *start = &monitor.start;
  log_init(&monitor.log, start->log, start->log_max_size, start->log_max_files);
  oom_init(&monitor.oom, &monitor.loop, &start->frame, killed_for_memory);
  streams_init(&monitor.first.streams, &monitor.loop, &monitor.scratch, start->log == NULL ? NULL : &monitor.log);
  monitor.first.streams.detached = client_detached;
  monitor.first.streams.tty = start->tty;
  monitor.first.streams.input_ends = start->stdin_once;
  if (start->has_stdin) streams_expect_input(&monitor.first.streams);
  monitor.first.streams.height = start->height;
  monitor.first.streams.width = start->width;
  control_open(&monitor, connection, true);
  notify_listening(&monitor);
  prepare(&monitor);
  advance(&monitor);
  while (monitor.state != LEAVING || monitor.controls != NULL || monitor.lingering != NULL) {
    const bool idle = !monitor.trim.armed;
    loop_step(&monitor.loop);
    advance(&monitor);
    if (idle) loop_arm(&monitor.loop, &monitor.trim, TRIM_MS);
  }
  close_monitor(&monitor);
  return EXIT_SUCCESS;
}
