#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "complain.h"
#include "file.h"
#include "runtime.h"

/** A peer that lets this much wait is broken, and is dropped. */
enum { QUEUE_MAX = 1 << 20 };

static void control_free(struct control *control) {
  struct monitor *monitor = control->monitor;
  for (struct control **link = &monitor->controls; *link != NULL; link = &(*link)->next) {
    if (*link != control) continue;
    *link = control->next;
    break;
  }
  loop_close(&monitor->loop, &control->source);
  frame_reader_reset(&control->reader);
  buffer_free(&control->queue);
  if (control->carried_start) monitor->abandoned = true;
  free(control);
}

/** False when the peer is gone; the caller frees. */
static bool flush(struct control *control) {
  while (control->queue.length > 0) {
    const ssize_t sent =
        send(control->source.fd, buffer_head(&control->queue), control->queue.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    buffer_consume(&control->queue, (size_t)sent);
  }
  loop_watch(&control->monitor->loop, &control->source, control->queue.length > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
  return true;
}

static bool queue(struct control *control, const struct message *message) {
  buffer_append(&control->queue, buffer_head(&message->bytes), message->bytes.length);
  return control->queue.length <= QUEUE_MAX && flush(control);
}

void control_notify(struct monitor *monitor, struct message *notice) {
  message_close(notice);
  for (struct control *control = monitor->controls, *next; control != NULL; control = next) {
    next = control->next;
    if (!queue(control, notice)) control_free(control);
  }
  buffer_free(&notice->bytes);
}

static void add_state(const struct monitor *monitor, struct message *message) {
  static const char *const states[] = {"starting", "running", "exited", "exited", "exited"};
  message_open(message, "state");
  message_add_number(message, "protocol", PROTOCOL);
  message_add(message, "version", monitor->version);
  message_add(message, "id", monitor->start.id);
  message_add_number(message, "monitor", getpid());
  message_add(message, "state", states[monitor->state]);
  if (monitor->first.pid > 0) message_add_number(message, "pid", monitor->first.pid);
  if (monitor->started_at > 0) message_add_number(message, "started-at", monitor->started_at);
  if (monitor->exited_at > 0) {
    message_add_number(message, "code", monitor->first.code);
    message_add_number(message, "signal", monitor->first.signal);
    message_add_number(message, "oom", monitor->oom_killed ? 1 : 0);
    message_add_number(message, "exited-at", monitor->exited_at);
  }
  for (const struct process *exec = monitor->execs; exec != NULL; exec = exec->next) {
    if (exec->pid == 0) continue;
    char number[NUMBER_SIZE];
    char *value = join_text(exec->exec_id, ":", number_text(exec->pid, number), NULL);
    message_add(message, "exec", value);
    free(value);
  }
}

/** What a command came to: NULL code is done. */
struct outcome {
  const char *code;
  const char *message;
};

static struct outcome run_kill(struct monitor *monitor, const struct frame *frame) {
  int64_t number = -1;
  if (!frame_number(frame, "signal", SIGRTMAX, &number) || number < 0) {
    return (struct outcome){"system", "signal is no signal's number"};
  }
  const char *exec_id = frame_get(frame, "exec");
  const struct process *process = monitor_find(monitor, exec_id);
  if (process == NULL && exec_id != NULL) return (struct outcome){"no-such-exec", "no such exec session runs"};
  if (process == NULL) return (struct outcome){"not-running", "the container does not run"};
  // As its parent, who has not reaped it, we cannot hit anybody else.
  if (kill(process->pid, (int)number) != 0) return (struct outcome){"system", error_text(errno)};
  return (struct outcome){0};
}

static struct outcome run_resize(struct monitor *monitor, const struct frame *frame) {
  int64_t height = 0, width = 0;
  if (!frame_number(frame, "height", TERMINAL_MAX, &height) || !frame_number(frame, "width", TERMINAL_MAX, &width)) {
    return (struct outcome){"system", "height and width are no terminal's"};
  }
  const char *exec_id = frame_get(frame, "exec");
  struct process *process = monitor_find(monitor, exec_id);
  // A client sets the size as soon as it has asked for the start.
  if (process == NULL && exec_id == NULL && monitor->state == STARTING) process = &monitor->first;
  if (process == NULL && exec_id != NULL) return (struct outcome){"no-such-exec", "no such exec session runs"};
  if (process == NULL) return (struct outcome){"not-running", "the container does not run"};
  if (!streams_resize(&process->streams, height, width)) return (struct outcome){"no-tty", "it has no terminal"};
  return (struct outcome){0};
}

/** A start that waits for attaches fails with the next step, one whose runtime is at work when that has ended. */
static struct outcome run_give_up(struct monitor *monitor) {
  if (monitor->state != STARTING) return (struct outcome){"not-running", "the container is not being started"};
  if (monitor->first.runtime > 0) runtime_give_up(&monitor->first);
  else monitor->given_up = true;
  return (struct outcome){0};
}

static struct outcome run(struct monitor *monitor, const struct frame *frame) {
  if (frame_is(frame, "kill")) return run_kill(monitor, frame);
  if (frame_is(frame, "resize")) return run_resize(monitor, frame);
  if (frame_is(frame, "give-up")) return run_give_up(monitor);
  if (frame_is(frame, "log-reopen")) {
    if (log_reopen(&monitor->log)) return (struct outcome){0};
    return (struct outcome){"system", error_text(errno)};
  }
  return (struct outcome){"system", "unknown kind"};
}

/** False when the peer is gone; the caller frees. */
static bool handle(struct control *control, const struct frame *frame) {
  const struct outcome outcome = run(control->monitor, frame);
  const char *ref = frame_get(frame, "ref");
  struct message answer = {0};
  message_open(&answer, outcome.code == NULL ? "done" : "error");
  if (ref != NULL) message_add(&answer, "ref", ref);
  if (outcome.code != NULL) message_add(&answer, "code", outcome.code);
  if (outcome.message != NULL) message_add(&answer, "message", outcome.message);
  message_close(&answer);
  const bool alive = queue(control, &answer);
  buffer_free(&answer.bytes);
  return alive;
}

static void ready(struct source *source, uint32_t events) {
  struct control *control = OWNER(source, struct control, source);
  bool alive = true;
  if ((events & EPOLLOUT) != 0) alive = flush(control);
  while (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const enum frame_status status = frame_read(&control->reader, source->fd);
    if (status == FRAME_AGAIN) return;
    alive = status == FRAME_READY && handle(control, &control->reader.frame);
    if (status == FRAME_READY) frame_reader_reset(&control->reader);
  }
  if (!alive) control_free(control);
}

void control_open(struct monitor *monitor, int fd, bool carried_start) {
  struct control *control = allocate(sizeof *control);
  *control = (struct control){
      .next = monitor->controls,
      .monitor = monitor,
      .source = {.fd = fd, .ready = ready},
      .reader = {.passed = -1},
      .carried_start = carried_start,
  };
  monitor->controls = control;
  loop_watch(&monitor->loop, &control->source, EPOLLIN);
  if (carried_start) return;
  struct message state = {0};
  add_state(monitor, &state);
  message_close(&state);
  const bool alive = queue(control, &state);
  buffer_free(&state.bytes);
  if (!alive) control_free(control);
}

void control_close_idle(struct monitor *monitor) {
  for (struct control *control = monitor->controls, *next; control != NULL; control = next) {
    next = control->next;
    if (control->queue.length == 0) control_free(control);
  }
}

void control_close_all(struct monitor *monitor) {
  while (monitor->controls != NULL) control_free(monitor->controls);
}
