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

/**
 * Keep a place among the clients of the container's own streams, for one who comes later on the same connection: what is
 * written meanwhile is queued, and begins where the log ends that the answer tells. NULL when it was refused and the
 * connection closed. *log_fd pins the log's file; less than 0: there is none.
 */
struct client *session_reserve(struct monitor *monitor, struct newcomer *newcomer, int *log_fd);

/** Give the place to a client, and the connection its answer. */
void session_take_place(struct client *place, struct newcomer *newcomer);

/** Start a process in the container, with the client's streams. */
void session_exec(struct monitor *monitor, struct newcomer *newcomer);

/** The runtime has started an exec's process, or (`failure`) has not; answers the client. */
void session_exec_started(struct process *exec);
void session_exec_failed(struct monitor *monitor, struct process *exec, const char *failure);

#endif
