#ifndef HAWSER_STUB_HELLO_H
#define HAWSER_STUB_HELLO_H

#include <stdbool.h>
#include <stddef.h>

/** Text that grows, for one message. */
struct text {
  char *data;
  size_t length;
};

/**
 * All that the resident client must know of this process, as texts that each end with NUL: protocol, what this process is,
 * which of its streams are terminals, working folder, number of arguments, the arguments, the environment. False without memory
 * or a working folder.
 */
bool hello_write(struct text *hello, char **arguments, int count);

#endif
