#ifndef HAWSER_SPAWN_H
#define HAWSER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/** The arguments of a program, each a copy. All zero is an empty list. */
struct arguments {
  char **items;
  size_t count;
};

/** Append a copy of `text`. */
void arguments_add(struct arguments *arguments, const char *text);

/** Append `text`, which came from malloc and now belongs to the list. */
void arguments_take(struct arguments *arguments, char *text);

void arguments_free(struct arguments *arguments);

/**
 * Start a program with these three descriptors as its standard streams and no others, default signals, umask 022.
 * -1 with errno when it cannot be started.
 */
pid_t spawn(const struct arguments *arguments, const int streams[3]);

/** End a program that `spawn` started, and what it has started itself, as far as that has not gone its own way. */
void spawn_kill(pid_t pid);

/** Let the three signals of a terminal, SIGTERM and SIGPIPE not end this process; undone in what `spawn` starts. */
void ignore_ending_signals(void);

#endif
