#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { COPIES_MAX = 4, SIZE_MAX_BYTES = 64 << 20 };

static struct copy {
  char *path;
  struct stat original;
  int fd;
} copies[COPIES_MAX];
static int count;

static bool is_same(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
         one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

/** A program of its own, not a script, whose interpreter would not find it. */
static bool is_elf(int fd) {
  char magic[4];
  return pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "\177ELF", sizeof magic) == 0;
}

static bool copy_all(int from, int to, off_t size) {
  for (off_t at = 0; at < size;) {
    const ssize_t sent = sendfile(to, from, &at, (size_t)(size - at));
    if (sent <= 0) return false;
  }
  return true;
}

/** Executable also where the system wants that said; kernels before 6.3 do not know the flag. */
static int create(const char *name) {
  const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

void preload_keep(const char *path) {
  // These and no others: by them runtimes know their copies.
  enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
  if (count == COPIES_MAX) return;
  struct copy *copy = &copies[count];
  const int program = open(path, O_RDONLY | O_CLOEXEC);
  if (program < 0 || fstat(program, &copy->original) != 0) {
    complain("cannot read a program to preload", errno);
  } else if (copy->original.st_size <= SIZE_MAX_BYTES && is_elf(program)) {
    const char *slash = strrchr(path, '/');
    copy->fd = create(slash == NULL ? path : slash + 1);
    if (copy->fd >= 0 && copy_all(program, copy->fd, copy->original.st_size) && fchmod(copy->fd, 0500) == 0 &&
        fcntl(copy->fd, F_ADD_SEALS, SEALS) == 0) {
      copy->path = copy_text(path);
      count++;
    } else {
      complain("cannot preload a program", errno);
      if (copy->fd >= 0) close(copy->fd);
    }
  }
  if (program >= 0) close(program);
}

int preload_find(const char *path) {
  for (int index = 0; index < count; index++) {
    struct stat now;
    if (strcmp(copies[index].path, path) != 0) continue;
    return stat(path, &now) == 0 && is_same(&now, &copies[index].original) ? copies[index].fd : -1;
  }
  return -1;
}
