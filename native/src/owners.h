#ifndef HAWSER_OWNERS_H
#define HAWSER_OWNERS_H

/**
 * A user namespace with the two maps, each a text as /proc/<pid>/uid_map wants it. A mount that is given it shows files of
 * the id on the left as belonging to the one in the middle. -1 with errno.
 */
int owners_open(const char *uids, const char *gids);

#endif
