#ifndef HAWSER_STREAMS_H
#define HAWSER_STREAMS_H

#include "client.h"
#include "console.h"
#include "log.h"

/**
 * The standard streams of one process: pipes or a terminal on one side, a log and any number of clients on the other.
 *
 *   open → (runtime starts the process) → start → … → exited → ended
 *
 * Output is read only between `start` and the end, at the speed of the slowest client; input is written whenever the
 * process takes it. After `exited` what is left is read: until the end of file, or for DRAIN_MS when somebody who outlives
 * the process still holds the other side.
 */
struct streams {
  struct loop *loop;
  struct scratch *scratch;
  /** NULL: none. */
  struct log *log;
  struct client *clients;
  bool tty;
  /** End of input from a client closes the process' input, rather than detach the client. */
  bool input_ends;
  bool started;
  bool exited;
  bool blocked;
  size_t drain_left;
  struct timer drain;
  struct output {
    struct source source;
    /** 1 or 2. */
    int stream;
  } outputs[2];
  enum { INPUT_NONE, INPUT_COMING, INPUT_OPEN, INPUT_ENDING, INPUT_CLOSED } input_state;
  struct source input;
  struct buffer input_queue;
  struct console console;
  int64_t height;
  int64_t width;
  /** A client has typed its detach keys and leaves. */
  void (*detached)(struct streams *streams);
};

enum { DRAIN_MS = 2000 };

/** What to make; `console` names the terminal's socket in `folder`. */
struct streams_wanted {
  bool tty;
  bool streams[3];
  int folder;
  const char *console;
};

/** All closed, with the last of its fields given. */
void streams_init(struct streams *streams, struct loop *loop, struct scratch *scratch, struct log *log);

/* Clients may send input from now on; it is kept until the process has its streams. */
void streams_expect_input(struct streams *streams);

/**
 * Make the streams and put the process' sides in `child`, to be closed with streams_close_child; what is not wanted is
 * /dev/null, which is our own descriptor 0. False with errno.
 */
bool streams_open(struct streams *streams, const struct streams_wanted *wanted, int child[3]);
void streams_close_child(const int child[3]);

/** The process runs: begin to read its output. */
void streams_start(struct streams *streams);

/** The process has ended: read what is left. */
void streams_exited(struct streams *streams);

/** Whether it has ended and all its output is passed on. */
bool streams_ended(const struct streams *streams);

/** Close all; its clients end, and linger while they have something to read. */
void streams_close(struct streams *streams, struct client **lingering);

/** Give it a client, which belongs to it from now on. `bytes` is input that the client has sent already. */
void streams_attach(struct streams *streams, struct client *client, char *bytes, size_t length);

/** Set the terminal's size, now or as soon as there is one. False when there is no terminal. */
bool streams_resize(struct streams *streams, int64_t height, int64_t width);

/* For clients. */

/** Whether the process has an input that still takes something, now or later. */
bool streams_has_input(const struct streams *streams);

/** Whether a client should read more input now. Without any input: yes, to throw it away. */
bool streams_takes_input(const struct streams *streams);

/** Whether the end of a client's input is the end of the process'. */
bool streams_closes_input(const struct streams *streams);

void streams_input(struct streams *streams, const char *bytes, size_t length);
void streams_end_input(struct streams *streams);
void streams_client_left(struct streams *streams, bool had_input);

/** Read output again, or stop, as the clients' queues have it. */
void streams_update(struct streams *streams);

#endif
