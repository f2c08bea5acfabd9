#ifndef HAWSER_GREETING_H
#define HAWSER_GREETING_H

#include "monitor.h"

/** A connection to `monitor.sock` that has not yet said what it is. */
struct greeting {
  struct greeting *next;
  struct monitor *monitor;
  struct source source;
  struct frame_reader reader;
  /** Once the frame is there: input that follows it on the connection but belongs to the descriptor that came with it. */
  struct frame frame;
  int passed;
  char *initial;
  size_t initial_length;
  size_t initial_got;
  /** `reserve`: the place of the client who comes with the next frame, and the log's file as it was, or -1. */
  struct client *place;
  int log_fd;
};

/** Begin to accept connections at `monitor->door`. */
void greeting_listen(struct monitor *monitor);

/** Close the door and whoever stands in it, but for those with a place. */
void greeting_close_all(struct monitor *monitor);

#endif
