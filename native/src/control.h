#ifndef HAWSER_CONTROL_H
#define HAWSER_CONTROL_H

#include "monitor.h"

/** A connection of the engine, which gets notices and gives commands. */
struct control {
  struct control *next;
  struct monitor *monitor;
  struct source source;
  struct frame_reader reader;
  struct buffer queue;
  bool carried_start;
};

/** Take over `fd` as a control connection; one that did not carry `start` is answered with the state first. */
void control_open(struct monitor *monitor, int fd, bool carried_start);

/** Send a notice to all control connections; frees its bytes. */
void control_notify(struct monitor *monitor, struct message *notice);

/** Close those that have nothing to read any more, or all. */
void control_close_idle(struct monitor *monitor);
void control_close_all(struct monitor *monitor);

#endif
