#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "runtime.h"

static void answer_failure(int connection, const char *why) {
  struct message answer = {0};
  message_open(&answer, "failed");
  message_add(&answer, "message", why);
  message_send(&answer, connection);
}

static void refuse(const struct newcomer *newcomer, const char *why) {
  answer_failure(newcomer->connection, why);
  close(newcomer->connection);
  if (newcomer->passed >= 0) close(newcomer->passed);
  free(newcomer->initial);
}

/** The answer goes to the connection; before the stream, when they are the same. */
static void answer(struct client *client, int connection, struct message *message) {
  if (connection < 0) {
    client_answer(client, message);
    return;
  }
  message_send(message, connection);
  close(connection);
}

/** False when it was refused. */
static bool parse_attach(const struct monitor *monitor, const struct newcomer *newcomer, struct client *parsed) {
  const char *problem = client_parse(parsed, newcomer->frame);
  if (problem == NULL && monitor->state != STARTING && monitor->state != RUNNING) problem = "the container has exited";
  if (problem != NULL) refuse(newcomer, problem);
  return problem == NULL;
}

void session_attach(struct monitor *monitor, struct newcomer *newcomer) {
  struct client parsed;
  if (!parse_attach(monitor, newcomer, &parsed)) return;
  const bool handed = newcomer->passed >= 0;
  struct client *client = client_open(&parsed, &monitor->loop, &monitor->scratch,
                                      handed ? newcomer->passed : newcomer->connection);
  struct message message = {0};
  message_open(&message, "attached");
  answer(client, handed ? newcomer->connection : -1, &message);
  streams_attach(&monitor->first.streams, client, newcomer->initial, newcomer->initial_length);
  free(newcomer->initial);
  monitor->attached++;
}

static void add_log_end(struct message *message, int log_fd, int64_t end) {
  struct stat status;
  if (log_fd < 0 || fstat(log_fd, &status) != 0) return;
  message_add_number(message, "log-inode", (int64_t)status.st_ino);
  message_add_number(message, "log-end", end);
}

struct client *session_reserve(struct monitor *monitor, struct newcomer *newcomer, int *log_fd) {
  struct client parsed;
  if (!parse_attach(monitor, newcomer, &parsed)) return NULL;
  struct client *place = client_open(&parsed, &monitor->loop, &monitor->scratch, -1);
  int64_t end = 0;
  *log_fd = log_mark(&monitor->log, &end);
  struct message message = {0};
  message_open(&message, "reserved");
  add_log_end(&message, *log_fd, end);
  message_send(&message, newcomer->connection);
  streams_attach(&monitor->first.streams, place, NULL, 0);
  // Lines without an end are not in the file yet.
  for (int stream = LOG_STDOUT; *log_fd >= 0 && stream <= LOG_STDERR; stream++) {
    const struct partial *partial = &monitor->log.partial[stream];
    if (partial->length > 0) client_output(place, stream + 1, partial->text, partial->length);
  }
  monitor->attached++;
  return place;
}

void session_take_place(struct client *place, struct newcomer *newcomer) {
  struct message message = {0};
  message_open(&message, "attached");
  answer(place, newcomer->connection, &message);
  client_take_place(place, newcomer->passed, newcomer->initial, newcomer->initial_length);
  free(newcomer->initial);
}

static bool is_taken(const struct monitor *monitor, const char *exec_id) {
  for (const struct process *exec = monitor->execs; exec != NULL; exec = exec->next) {
    if (strcmp(exec->exec_id, exec_id) == 0) return true;
  }
  return false;
}

static const char *check_exec(const struct monitor *monitor, const struct frame *frame) {
  const char *exec_id = frame_get(frame, "exec");
  const char *process = frame_get(frame, "process");
  if (exec_id == NULL || !is_name(exec_id)) return "exec is missing or no name";
  if (process == NULL || process[0] != '/') return "process is no absolute path";
  if (monitor->state != RUNNING || monitor->first.pid == 0) return "the container does not run";
  if (is_taken(monitor, exec_id)) return "that exec session exists already";
  return NULL;
}

static void exec_client_detached(struct streams *streams) {
  const struct process *exec = OWNER(streams, struct process, streams);
  struct message notice = {0};
  message_open(&notice, "detached");
  message_add(&notice, "exec", exec->exec_id);
  control_notify(OWNER(streams->loop, struct monitor, loop), &notice);
}

void session_exec(struct monitor *monitor, struct newcomer *newcomer) {
  const struct frame *frame = newcomer->frame;
  struct client parsed;
  int64_t height = 0, width = 0;
  const char *problem = client_parse(&parsed, frame);
  if (problem == NULL) problem = check_exec(monitor, frame);
  if (problem == NULL && (!frame_number(frame, "height", TERMINAL_MAX, &height) ||
                          !frame_number(frame, "width", TERMINAL_MAX, &width))) {
    problem = "height and width are no terminal's";
  }
  if (problem != NULL) {
    refuse(newcomer, problem);
    return;
  }
  struct process *exec = allocate(sizeof *exec);
  exec->exec_id = copy_text(frame_get(frame, "exec"));
  exec->number = ++monitor->processes;
  exec->next = monitor->execs;
  monitor->execs = exec;
  streams_init(&exec->streams, &monitor->loop, &monitor->scratch, NULL);
  exec->streams.input_ends = true;
  exec->streams.detached = exec_client_detached;
  exec->streams.height = height;
  exec->streams.width = width;
  exec->connection = newcomer->connection;
  const bool detached = frame_flag(frame, "detach");
  if (detached) {
    memset(parsed.wants, 0, sizeof parsed.wants);
    if (newcomer->passed >= 0) close(newcomer->passed);
    free(newcomer->initial);
  } else {
    const bool handed = newcomer->passed >= 0;
    exec->client = client_open(&parsed, &monitor->loop, &monitor->scratch,
                               handed ? newcomer->passed : newcomer->connection);
    if (!handed) exec->connection = -1;
    exec->initial = newcomer->initial;
    exec->initial_length = newcomer->initial_length;
  }
  char *failure = runtime_exec(monitor, exec, frame_get(frame, "process"), frame_flag(frame, "tty"), parsed.wants);
  if (failure == NULL) return;
  session_exec_failed(monitor, exec, failure);
  free(failure);
}

void session_exec_started(struct process *exec) {
  struct message message = {0};
  message_open(&message, "started");
  message_add_number(&message, "pid", exec->pid);
  answer(exec->client, exec->connection, &message);
  exec->connection = -1;
  struct client *client = exec->client;
  exec->client = NULL;
  if (client != NULL) streams_attach(&exec->streams, client, exec->initial, exec->initial_length);
  free(exec->initial);
  exec->initial = NULL;
  streams_start(&exec->streams);
}

void session_exec_failed(struct monitor *monitor, struct process *exec, const char *failure) {
  struct message message = {0};
  message_open(&message, "failed");
  message_add(&message, "message", failure);
  const bool handed = exec->connection >= 0;
  answer(exec->client, exec->connection, &message);
  exec->connection = -1;
  // A client that was handed over still hears why, from whoever did that.
  if (exec->client != NULL && handed) client_release(exec->client);
  else if (exec->client != NULL) client_end(exec->client, &monitor->lingering);
  exec->client = NULL;
  free(exec->initial);
  exec->initial = NULL;
  // Neither a runtime nor a process: the monitor drops it with its next step.
  streams_exited(&exec->streams);
  streams_close(&exec->streams, &monitor->lingering);
}
