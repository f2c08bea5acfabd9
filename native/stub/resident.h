#ifndef HAWSER_STUB_RESIDENT_H
#define HAWSER_STUB_RESIDENT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

/** Where this user's resident client of one build of the client is. */
struct resident {
  char program[PATH_MAX];
  struct sockaddr_un address;
};

/**
 * Look where it would be: in a folder that only this user can enter, under a name that tells the build. False where this user
 * has no such folder.
 */
bool resident_find(struct resident *resident, const char *client);

/** A connection to it, or -1: nobody is there, or somebody else. */
int resident_connect(const struct resident *resident);

/** Have one started in a moment, when the machine has done what the user waits for, unless one is there or on its way. */
void resident_start(const struct resident *resident, const char *node);

#endif
