#ifndef HAWSER_CONSOLE_H
#define HAWSER_CONSOLE_H

#include "loop.h"

/** The socket on which an OCI runtime hands over the master side of a terminal (`--console-socket`). */
struct console {
  struct loop *loop;
  int folder;
  char *name;
  struct source listener;
  struct source connection;
  void (*on_master)(struct console *console, int master);
};

/** Listen at `name` in `folder`; `on_master` is called once, with a descriptor to own. False with errno. */
bool console_open(struct console *console, struct loop *loop, int folder, const char *name);

/** Take a master that has arrived unnoticed, then stop listening and remove the socket. Does nothing when closed. */
void console_close(struct console *console);

#endif
