#ifndef HAWSER_PROCESS_H
#define HAWSER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"
#include "streams.h"

/**
 * A process in the container: its first one, or one that an exec session added. The runtime's program starts it, ends, and
 * leaves it to us, the subreaper.
 */
struct process {
  struct process *next;
  /** NULL: the first process. */
  char *exec_id;
  /** Different for each; names its files in the run directory. */
  int64_t number;
  /** The runtime's program while it runs, else 0. */
  pid_t runtime;
  /** When it has to have ended by. */
  struct timer deadline;
  /** Why it was killed, if it was. */
  enum { RUNTIME_LET, RUNTIME_OVERDUE, RUNTIME_GIVEN_UP } runtime_end;
  /** The process itself, from the runtime's success until it is reaped, else 0. It cannot be anybody else's meanwhile. */
  pid_t pid;
  /** It was reaped; the two below say how it ended. */
  bool reaped;
  int code;
  int signal;
  struct streams streams;
  /** An exec's: who gets the answer, and what it becomes after it. */
  struct client *client;
  int connection;
  char *initial;
  size_t initial_length;
};

/** It has ended with this wait status; the code of a signal is 128 more, as Docker counts. */
void process_reaped(struct process *process, int status);

#endif
