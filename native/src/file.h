#ifndef HAWSER_FILE_H
#define HAWSER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The last `size - 1` bytes at most of a file, as text: NULs become spaces, space at its end goes. Empty when there is none. */
void read_text(int folder, const char *name, char *text, size_t size);

/** Write `text` beside `path` and rename it there; `durable`: it survives a power loss once this returns. False with errno. */
bool write_atomic(int folder, const char *path, const char *text, bool durable);

/** Remove a file or a folder with all in it, never following a link or going into another mount. Absent is fine. */
void remove_tree(int folder, const char *name);

/** One name in a folder, as getdents64 writes it. */
struct entry {
  ino64_t inode;
  off64_t offset;
  unsigned short size;
  /** DT_DIR and so on. */
  unsigned char type;
  char name[];
};

/** Reads a folder without readdir's 32 KiB of heap. Begin with `.folder` set and the rest zero. */
struct listing {
  int folder;
  long got;
  long at;
  char entries[1024] __attribute__((aligned(8)));
};

/** The next entry but "." and "..", valid until the next call; NULL at the end. */
const struct entry *listing_next(struct listing *listing);

/** A listening unix socket (SOCK_STREAM, not blocking) of that name in a folder, mode 0600; -1 with errno. The path may be of any length. */
int listen_in(int folder, const char *name);

/** Close it; errno stays what it was. */
void close_keeping_errno(int fd);

/** The text of several pieces, which NULL ends; the caller frees it. */
__attribute__((sentinel)) char *join_text(const char *first, ...);

#endif
