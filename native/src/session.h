#ifndef HAWSER_SESSION_H
#define HAWSER_SESSION_H

#include "monitor.h"

/** A connection whose first frame was `attach` or `exec`; everything in it but the frame is the session's. */
struct newcomer {
  const struct frame *frame;
  int connection;
  /** The client, when it is not the connection, or -1. */
  int passed;
  char *initial;
  size_t initial_length;
};

/** Give the client the container's own streams. */
void session_attach(struct monitor *monitor, struct newcomer *newcomer);

/** Start a process in the container, with the client's streams. */
void session_exec(struct monitor *monitor, struct newcomer *newcomer);

/** The runtime has started an exec's process, or (`failure`) has not; answers the client. */
void session_exec_started(struct process *exec);
void session_exec_failed(struct monitor *monitor, struct process *exec, const char *failure);

#endif
