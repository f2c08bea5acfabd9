#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/** How much may be read after the process' end without regard to slow clients: as much as a pipe can hold. */
enum { DRAIN_MAX = 2 << 20 };

static void set_nonblocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void update_clients(struct streams *streams) {
  for (struct client *client = streams->clients; client != NULL; client = client->next) client_update(client);
}

/* Input */

bool streams_has_input(const struct streams *streams) {
  return streams->input_state == INPUT_COMING || streams->input_state == INPUT_OPEN;
}

bool streams_takes_input(const struct streams *streams) {
  if (streams->input_state == INPUT_NONE || streams->input_state == INPUT_CLOSED) return true;
  return streams->input_state == INPUT_OPEN && streams->input_queue.length == 0;
}

bool streams_closes_input(const struct streams *streams) {
  return !streams->tty && streams->input_ends;
}

static void close_input(struct streams *streams) {
  if (streams->input_state == INPUT_NONE || streams->input_state == INPUT_CLOSED) return;
  streams->input_state = INPUT_CLOSED;
  loop_close(streams->loop, &streams->input);
  buffer_free(&streams->input_queue);
  update_clients(streams);
}

static void flush_input(struct streams *streams) {
  while (streams->input_queue.length > 0) {
    const ssize_t written = write(streams->input.fd, buffer_head(&streams->input_queue), streams->input_queue.length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      loop_watch(streams->loop, &streams->input, EPOLLOUT);
      return;
    }
    if (written < 0) {
      close_input(streams); // the process does not want it
      return;
    }
    buffer_consume(&streams->input_queue, (size_t)written);
  }
  if (streams->input_state == INPUT_ENDING) close_input(streams);
  else loop_unwatch(streams->loop, &streams->input);
}

static void input_ready(struct source *source, uint32_t events) {
  struct streams *streams = OWNER(source, struct streams, input);
  if ((events & EPOLLERR) != 0) {
    close_input(streams);
    return;
  }
  flush_input(streams);
  update_clients(streams);
}

void streams_input(struct streams *streams, const char *bytes, size_t length) {
  if (length == 0 || !streams_has_input(streams)) return;
  const bool first = streams->input_queue.length == 0;
  buffer_append(&streams->input_queue, bytes, length);
  if (!first || streams->input_state == INPUT_COMING) return;
  flush_input(streams);
  if (streams->input_queue.length > 0) update_clients(streams);
}

void streams_end_input(struct streams *streams) {
  if (!streams_has_input(streams)) return;
  streams->input_state = INPUT_ENDING;
  if (streams->input_queue.length == 0) close_input(streams);
}

/* Output */

static bool must_wait(const struct streams *streams) {
  if (streams->exited && streams->drain_left > 0) return false;
  // Not before half of the slack is free again, or a slow client would cost a change of mind for each piece.
  const size_t enough = streams->blocked ? CLIENT_SLACK / 2 : CLIENT_SLACK;
  for (const struct client *client = streams->clients; client != NULL; client = client->next) {
    if (client->queue.length >= enough) return true;
  }
  return false;
}

void streams_update(struct streams *streams) {
  if (!streams->started) return;
  streams->blocked = must_wait(streams);
  for (int index = 0; index < 2; index++) {
    struct source *source = &streams->outputs[index].source;
    if (source->fd < 0) continue;
    if (streams->blocked) loop_unwatch(streams->loop, source);
    else loop_watch(streams->loop, source, EPOLLIN);
  }
}

static void close_output(struct streams *streams, struct output *output) {
  if (output->source.fd < 0) return;
  loop_close(streams->loop, &output->source);
  if (streams->log != NULL) log_flush(streams->log, output->stream == 1 ? LOG_STDOUT : LOG_STDERR);
}

/** Read once and pass it on. False when there is nothing, for now or for good. */
static bool read_output(struct streams *streams, struct output *output) {
  const ssize_t got = read(output->source.fd, streams->scratch->bytes, SCRATCH_SIZE);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) { // a terminal without anybody says EIO
    close_output(streams, output);
    return false;
  }
  const size_t length = (size_t)got;
  if (streams->log != NULL) {
    log_write(streams->log, output->stream == 1 ? LOG_STDOUT : LOG_STDERR, streams->scratch->bytes, length);
  }
  for (struct client *client = streams->clients, *next; client != NULL; client = next) {
    next = client->next;
    client_output(client, output->stream, streams->scratch->bytes, length);
  }
  if (streams->exited) streams->drain_left -= length < streams->drain_left ? length : streams->drain_left;
  streams_update(streams);
  return true;
}

static void output_ready(struct source *source, uint32_t events) {
  struct output *output = OWNER(source, struct output, source);
  struct streams *streams = output->stream == 1 ? OWNER(output, struct streams, outputs[0])
                                                : OWNER(output, struct streams, outputs[1]);
  (void)events;
  read_output(streams, output);
}

static void drained(struct timer *timer) {
  struct streams *streams = OWNER(timer, struct streams, drain);
  close_output(streams, &streams->outputs[0]);
  close_output(streams, &streams->outputs[1]);
}

/* The terminal */

static void apply_size(const struct streams *streams) {
  if (streams->height == 0 || streams->width == 0 || streams->outputs[0].source.fd < 0) return;
  const struct winsize size = {.ws_row = (unsigned short)streams->height, .ws_col = (unsigned short)streams->width};
  ioctl(streams->outputs[0].source.fd, TIOCSWINSZ, &size);
}

static void have_terminal(struct console *console, int master) {
  struct streams *streams = OWNER(console, struct streams, console);
  set_nonblocking(master);
  streams->outputs[0].source.fd = master;
  apply_size(streams);
  if (streams->input_state == INPUT_COMING) {
    // A descriptor of its own: the loop knows a descriptor only once.
    streams->input.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
    streams->input_state = streams->input.fd < 0 ? INPUT_CLOSED : INPUT_OPEN;
    if (streams->input_state == INPUT_OPEN) flush_input(streams);
    update_clients(streams);
  }
  streams_update(streams);
}

bool streams_resize(struct streams *streams, int64_t height, int64_t width) {
  if (!streams->tty) return false;
  streams->height = height;
  streams->width = width;
  apply_size(streams);
  return true;
}

/* Life */

void streams_init(struct streams *streams, struct loop *loop, struct scratch *scratch, struct log *log) {
  *streams = (struct streams){
      .loop = loop,
      .scratch = scratch,
      .log = log,
      .drain = {.fire = drained},
      .outputs = {{.source = {.fd = -1, .ready = output_ready}, .stream = 1},
                  {.source = {.fd = -1, .ready = output_ready}, .stream = 2}},
      .input = {.fd = -1, .ready = input_ready},
      .console = {.on_master = have_terminal},
  };
}

void streams_expect_input(struct streams *streams) {
  streams->input_state = INPUT_COMING;
}

/* What clients sent before there was a process is written now; their end of input may have come as well. */
static void open_input(struct streams *streams, int fd) {
  if (streams->input_state == INPUT_CLOSED) {
    close(fd);
    return;
  }
  streams->input.fd = fd;
  set_nonblocking(fd);
  if (streams->input_state != INPUT_ENDING) streams->input_state = INPUT_OPEN;
  flush_input(streams);
  update_clients(streams);
}

bool streams_open(struct streams *streams, const struct streams_wanted *wanted, int child[3]) {
  child[0] = child[1] = child[2] = STDIN_FILENO;
  streams->tty = wanted->tty;
  if (wanted->tty) {
    if (wanted->streams[0]) streams->input_state = INPUT_COMING;
    return console_open(&streams->console, streams->loop, wanted->folder, wanted->console);
  }
  int ends[2];
  if (wanted->streams[0]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    child[0] = ends[0];
    open_input(streams, ends[1]);
  }
  for (int index = 0; index < 2; index++) {
    if (!wanted->streams[index + 1]) continue;
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    child[index + 1] = ends[1];
    streams->outputs[index].source.fd = ends[0];
    set_nonblocking(ends[0]);
  }
  return true;
}

void streams_close_child(const int child[3]) {
  for (int index = 0; index < 3; index++) {
    if (child[index] != STDIN_FILENO) close(child[index]);
  }
}

void streams_start(struct streams *streams) {
  console_close(&streams->console);
  streams->started = true;
  streams_update(streams);
}

void streams_exited(struct streams *streams) {
  streams->exited = true;
  streams->drain_left = DRAIN_MAX;
  close_input(streams);
  for (int index = 0; index < 2; index++) {
    struct output *output = &streams->outputs[index];
    while (output->source.fd >= 0 && streams->drain_left > 0 && read_output(streams, output)) continue;
  }
  if (!streams_ended(streams)) loop_arm(streams->loop, &streams->drain, DRAIN_MS);
}

bool streams_ended(const struct streams *streams) {
  return streams->exited && streams->outputs[0].source.fd < 0 && streams->outputs[1].source.fd < 0;
}

void streams_close(struct streams *streams, struct client **lingering) {
  console_close(&streams->console);
  loop_disarm(streams->loop, &streams->drain);
  close_input(streams);
  loop_close(streams->loop, &streams->outputs[0].source);
  loop_close(streams->loop, &streams->outputs[1].source);
  while (streams->clients != NULL) client_end(streams->clients, lingering);
}

/* Clients */

void streams_attach(struct streams *streams, struct client *client, char *bytes, size_t length) {
  client->streams = streams;
  client_link(client, &streams->clients);
  client_update(client);
  client_input(client, bytes, length);
}

void streams_client_left(struct streams *streams, bool had_input) {
  if (had_input && streams_closes_input(streams)) streams_end_input(streams);
  streams_update(streams);
}
