#include "runtime.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "complain.h"
#include "file.h"
#include "spawn.h"

/** The most that is passed on of what a runtime says about its failure. */
enum { WORDS_MAX = 8192 };

/** Where a process' files are in the run directory: "<first>" for the first one, "<other><number>" for an exec's. */
static char *file_name(const struct process *process, const char *first, const char *other) {
  char number[NUMBER_SIZE];
  return process->exec_id == NULL ? copy_text(first) : join_text(other, number_text(process->number, number), NULL);
}

static char *pid_file(const struct process *process) {
  return file_name(process, "pid", "exec-pid-");
}

static char *log_file(const struct process *process) {
  return file_name(process, "runtime.log", "exec-log-");
}

static char *console_file(const struct process *process) {
  return file_name(process, "tty", "tty-");
}

static struct arguments global_arguments(const struct start *start, const char *log) {
  struct arguments arguments = {0};
  arguments_add(&arguments, start->runtime);
  for (const char *value = NULL; (value = frame_next(&start->frame, "runtime-arg", value)) != NULL;) {
    arguments_add(&arguments, value);
  }
  arguments_add(&arguments, "--root");
  arguments_take(&arguments, join_text(start->dir, "/runtime", NULL));
  arguments_add(&arguments, "--log");
  arguments_take(&arguments, join_text(start->dir, "/", log, NULL));
  return arguments;
}

/** Consumes `arguments`. */
static char *start_program(struct arguments *arguments, const int streams[3], pid_t *pid) {
  *pid = spawn(arguments, streams);
  char *failure = NULL;
  if (*pid < 0) {
    failure = join_text("Cannot run ", arguments->items[0], ": ", error_text(errno), NULL);
    *pid = 0;
  }
  arguments_free(arguments);
  return failure;
}

static void overdue(struct timer *timer) {
  struct process *process = OWNER(timer, struct process, deadline);
  if (process->runtime_end == RUNTIME_LET) process->runtime_end = RUNTIME_OVERDUE;
  spawn_kill(process->runtime);
}

void runtime_give_up(struct process *process) {
  process->runtime_end = RUNTIME_GIVEN_UP;
  spawn_kill(process->runtime);
}

/** What `run` and `exec` have in common: streams, pid file, console socket. Takes `last` over; consumes `arguments`. */
static char *start_process(struct monitor *monitor, struct process *process, struct arguments *arguments,
                           const struct streams_wanted *streams) {
  char *pid_name = pid_file(process);
  arguments_add(arguments, "--detach");
  arguments_add(arguments, "--pid-file");
  arguments_take(arguments, join_text(monitor->start.dir, "/", pid_name, NULL));
  free(pid_name);
  if (streams->tty) {
    arguments_add(arguments, "--console-socket");
    arguments_take(arguments, join_text(monitor->start.dir, "/", streams->console, NULL));
  }
  arguments_add(arguments, monitor->start.id);
  int child[3];
  char *failure;
  if (streams_open(&process->streams, streams, child)) {
    failure = start_program(arguments, child, &process->runtime);
  } else {
    failure = join_text("Cannot make the streams: ", error_text(errno), NULL);
    arguments_free(arguments);
  }
  streams_close_child(child);
  if (failure == NULL && monitor->start.runtime_deadline_ms > 0) {
    process->deadline = (struct timer){.fire = overdue};
    loop_arm(&monitor->loop, &process->deadline, monitor->start.runtime_deadline_ms);
  }
  return failure;
}

char *runtime_run(struct monitor *monitor) {
  const struct start *start = &monitor->start;
  struct arguments arguments = global_arguments(start, "runtime.log");
  arguments_add(&arguments, "run");
  arguments_add(&arguments, "--bundle");
  arguments_add(&arguments, start->dir);
  char *console = console_file(&monitor->first);
  const struct streams_wanted streams = {
      .tty = start->tty,
      .streams = {start->has_stdin, true, true},
      .folder = monitor->folder,
      .console = console,
  };
  char *failure = start_process(monitor, &monitor->first, &arguments, &streams);
  free(console);
  return failure;
}

char *runtime_exec(struct monitor *monitor, struct process *exec, const char *file, bool tty, const bool wants[3]) {
  char *log = log_file(exec);
  struct arguments arguments = global_arguments(&monitor->start, log);
  free(log);
  arguments_add(&arguments, "exec");
  arguments_add(&arguments, "--process");
  arguments_add(&arguments, file);
  char *console = console_file(exec);
  const struct streams_wanted streams = {
      .tty = tty,
      .streams = {wants[0], wants[1], wants[2]},
      .folder = monitor->folder,
      .console = console,
  };
  char *failure = start_process(monitor, exec, &arguments, &streams);
  free(console);
  return failure;
}

char *runtime_delete(struct monitor *monitor) {
  struct arguments arguments = global_arguments(&monitor->start, "runtime.log");
  arguments_add(&arguments, "delete");
  arguments_add(&arguments, "--force");
  arguments_add(&arguments, monitor->start.id);
  const int nothing[3] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
  return start_program(&arguments, nothing, &monitor->deleting);
}

/**
 * The pid that the runtime wrote, or 0. It may become our child only in a moment: the runtime's program may have left it
 * to a helper of its own that is just ending (crun does).
 */
static pid_t read_pid(const struct monitor *monitor, const char *name) {
  char text[NUMBER_SIZE];
  int64_t pid = 0;
  read_text(monitor->folder, name, text, sizeof text);
  return parse_number(text, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

/** Why the runtime was killed, or NULL. */
static char *end_of(const struct monitor *monitor, const struct process *process) {
  if (process->runtime_end == RUNTIME_LET) return NULL;
  if (process->runtime_end == RUNTIME_GIVEN_UP) return copy_text("the start was given up");
  char number[NUMBER_SIZE];
  return join_text("the OCI runtime ", monitor->start.runtime, " did not answer within ",
                   number_text(monitor->start.runtime_deadline_ms / 1000, number), " seconds and was killed", NULL);
}

/** Its log; without one, what it wrote to the process' standard error; without that, how it ended. */
static char *words_of(const struct monitor *monitor, const struct process *process, const char *log, int status) {
  char *words = allocate(WORDS_MAX);
  read_text(monitor->folder, log, words, WORDS_MAX);
  if (words[0] == '\0') {
    const int stderr_end = process->streams.outputs[process->streams.tty ? 0 : 1].source.fd;
    const ssize_t got = stderr_end < 0 ? 0 : read(stderr_end, words, WORDS_MAX - 1);
    words[got < 0 ? 0 : got] = '\0';
  }
  if (words[0] != '\0') return words;
  free(words);
  char number[NUMBER_SIZE];
  if (WIFSIGNALED(status)) return join_text("The runtime was ended by signal ", number_text(WTERMSIG(status), number), NULL);
  if (WEXITSTATUS(status) == 0) return copy_text("The runtime named no process");
  return join_text("The runtime ended with exit code ", number_text(WEXITSTATUS(status), number), NULL);
}

char *runtime_ended(struct monitor *monitor, struct process *process, int status) {
  process->runtime = 0;
  loop_disarm(&monitor->loop, &process->deadline);
  char *pid_name = pid_file(process);
  char *log = log_file(process);
  if (status == 0) process->pid = read_pid(monitor, pid_name);
  char *failure = NULL;
  if (process->pid == 0) failure = end_of(monitor, process);
  if (process->pid == 0 && failure == NULL) failure = words_of(monitor, process, log, status);
  if (process->exec_id != NULL) {
    unlinkat(monitor->folder, pid_name, 0);
    unlinkat(monitor->folder, log, 0);
  }
  free(pid_name);
  free(log);
  return failure;
}
