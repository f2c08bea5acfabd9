#include "greeting.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "complain.h"
#include "control.h"
#include "session.h"

static bool is_ours(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

/** Frees it; the descriptors that it still has are closed. */
static void greeting_free(struct greeting *greeting) {
  struct monitor *monitor = greeting->monitor;
  for (struct greeting **link = &monitor->greetings; *link != NULL; link = &(*link)->next) {
    if (*link != greeting) continue;
    *link = greeting->next;
    break;
  }
  loop_close(&monitor->loop, &greeting->source);
  frame_reader_reset(&greeting->reader);
  frame_free(&greeting->frame);
  if (greeting->passed >= 0) close(greeting->passed);
  if (greeting->log_fd >= 0) close(greeting->log_fd);
  if (greeting->place != NULL) client_free(greeting->place);
  free(greeting->initial);
  free(greeting);
  // There may be a descriptor for the next one again.
  if (monitor->door.fd >= 0) loop_watch(&monitor->loop, &monitor->door, EPOLLIN);
}

static void refuse(struct greeting *greeting, const char *why) {
  struct message answer = {0};
  message_open(&answer, "error");
  message_add(&answer, "code", "protocol");
  message_add(&answer, "message", why);
  message_send(&answer, greeting->source.fd);
  greeting_free(greeting);
}

/** The frame is there: see what else has to come. False when the connection was refused. */
static bool expect_initial(struct greeting *greeting) {
  greeting->frame = greeting->reader.frame;
  greeting->passed = greeting->reader.passed;
  greeting->reader = (struct frame_reader){.passed = -1};
  // Without a descriptor, the bytes are simply the first of the stream.
  if (greeting->passed < 0) return true;
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(greeting->passed, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    refuse(greeting, "the descriptor is no stream socket");
    return false;
  }
  int64_t initial = 0;
  if (!frame_number(&greeting->frame, "initial", FRAME_MAX, &initial)) {
    refuse(greeting, "initial is too large");
    return false;
  }
  greeting->initial_length = (size_t)initial;
  if (initial > 0) greeting->initial = allocate((size_t)initial);
  return true;
}

/** Read what is still to come. 1: all is there, 0: not yet, -1: the peer is gone. */
static int read_initial(struct greeting *greeting) {
  while (greeting->initial_got < greeting->initial_length) {
    const ssize_t got = recv(greeting->source.fd, greeting->initial + greeting->initial_got,
                             greeting->initial_length - greeting->initial_got, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got <= 0) return -1;
    greeting->initial_got += (size_t)got;
  }
  return 1;
}

/** Whether the frame is one that may come now. */
static bool fits(const struct greeting *greeting) {
  const struct frame *frame = &greeting->frame;
  const bool has_client = greeting->passed >= 0;
  if (greeting->place != NULL) return has_client && frame_is(frame, "client");
  if (frame_is(frame, "reserve")) return !has_client;
  return frame_is(frame, "control") || frame_is(frame, "attach") || frame_is(frame, "exec");
}

/** It stays, for the client. */
static void reserve(struct greeting *greeting, struct newcomer *newcomer) {
  greeting->place = session_reserve(greeting->monitor, newcomer, &greeting->log_fd);
  frame_free(&greeting->frame);
  if (greeting->place != NULL) {
    loop_watch(&greeting->monitor->loop, &greeting->source, EPOLLIN);
    return;
  }
  greeting->source.fd = -1;
  greeting_free(greeting);
}

static void dispatch(struct greeting *greeting) {
  struct monitor *monitor = greeting->monitor;
  struct newcomer newcomer = {
      .frame = &greeting->frame,
      .connection = greeting->source.fd,
      .passed = greeting->passed,
      .initial = greeting->initial,
      .initial_length = greeting->initial_length,
  };
  if (!fits(greeting)) {
    refuse(greeting, "unknown kind");
    return;
  }
  loop_unwatch(&monitor->loop, &greeting->source);
  if (frame_is(&greeting->frame, "reserve")) {
    reserve(greeting, &newcomer);
    return;
  }
  const bool control = frame_is(&greeting->frame, "control");
  greeting->source.fd = -1;
  if (!control) {
    greeting->passed = -1;
    greeting->initial = NULL;
  }
  struct client *place = greeting->place;
  greeting->place = NULL;
  if (place != NULL) session_take_place(place, &newcomer);
  else if (control) control_open(monitor, newcomer.connection, false);
  else if (frame_is(&greeting->frame, "attach")) session_attach(monitor, &newcomer);
  else session_exec(monitor, &newcomer);
  greeting_free(greeting);
}

static void ready(struct source *source, uint32_t events) {
  struct greeting *greeting = OWNER(source, struct greeting, source);
  (void)events;
  if (greeting->frame.fields == NULL) {
    const enum frame_status status = frame_read(&greeting->reader, source->fd);
    if (status == FRAME_AGAIN) return;
    if (status == FRAME_BROKEN) {
      refuse(greeting, "not a frame");
      return;
    }
    if (status == FRAME_END) {
      greeting_free(greeting);
      return;
    }
    if (!expect_initial(greeting)) return;
  }
  const int complete = read_initial(greeting);
  if (complete < 0) greeting_free(greeting);
  else if (complete > 0) dispatch(greeting);
}

static void door_ready(struct source *source, uint32_t events) {
  struct monitor *monitor = OWNER(source, struct monitor, door);
  (void)events;
  const int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
    complain("cannot accept a connection", errno);
    loop_unwatch(&monitor->loop, source); // until one closes
    return;
  }
  if (!is_ours(fd)) {
    close(fd);
    return;
  }
  struct greeting *greeting = allocate(sizeof *greeting);
  *greeting = (struct greeting){
      .next = monitor->greetings,
      .monitor = monitor,
      .source = {.fd = fd, .ready = ready},
      .reader = {.passed = -1},
      .passed = -1,
      .log_fd = -1,
  };
  monitor->greetings = greeting;
  loop_watch(&monitor->loop, &greeting->source, EPOLLIN);
}

void greeting_listen(struct monitor *monitor) {
  monitor->door.ready = door_ready;
  loop_watch(&monitor->loop, &monitor->door, EPOLLIN);
}

void greeting_close_all(struct monitor *monitor) {
  loop_close(&monitor->loop, &monitor->door);
  for (struct greeting *greeting = monitor->greetings, *next; greeting != NULL; greeting = next) {
    next = greeting->next;
    if (greeting->place == NULL) greeting_free(greeting);
  }
}
