#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "frame.h"

void read_text(int folder, const char *name, char *text, size_t size) {
  text[0] = '\0';
  const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  struct stat status;
  if (fstat(fd, &status) == 0 && status.st_size > (off_t)(size - 1)) {
    lseek(fd, status.st_size - (off_t)(size - 1), SEEK_SET);
  }
  size_t length = 0;
  while (length < size - 1) {
    const ssize_t got = read(fd, text + length, size - 1 - length);
    if (got <= 0) break;
    length += (size_t)got;
  }
  close(fd);
  for (size_t index = 0; index < length; index++) {
    if (text[index] == '\0') text[index] = ' ';
  }
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) length--;
  text[length] = '\0';
}

/** Make the folder that `path` is in durable. */
static bool sync_folder(int folder, const char *path) {
  const char *slash = strrchr(path, '/');
  char *parent = slash == NULL ? copy_text(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
  const int fd = parent == NULL ? -1 : openat(folder, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(parent);
  if (fd < 0) return false;
  const bool done = fsync(fd) == 0;
  close(fd);
  return done;
}

bool write_atomic(int folder, const char *path, const char *text, bool durable) {
  char *beside = join_text(path, ".new", NULL);
  bool done = false;
  const int fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) {
    const size_t length = strlen(text);
    done = write(fd, text, length) == (ssize_t)length && (!durable || fsync(fd) == 0);
    close(fd);
    done = done && renameat(folder, beside, folder, path) == 0;
    done = done && (!durable || sync_folder(folder, path));
  }
  const int error = errno;
  free(beside);
  errno = error;
  return done;
}

const struct entry *listing_next(struct listing *listing) {
  for (;;) {
    if (listing->at >= listing->got) {
      listing->at = 0;
      listing->got = syscall(SYS_getdents64, listing->folder, listing->entries, sizeof listing->entries);
      if (listing->got <= 0) return NULL;
    }
    const struct entry *entry = (const struct entry *)(const void *)(listing->entries + listing->at);
    listing->at += entry->size;
    if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) return entry;
  }
}

static void remove_entries(int folder, dev_t device) {
  struct listing listing = {.folder = folder};
  for (const struct entry *entry; (entry = listing_next(&listing)) != NULL;) {
    if (unlinkat(folder, entry->name, 0) == 0 || errno != EISDIR) continue;
    const int inner = openat(folder, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (inner < 0) continue;
    if (fstat(inner, &status) == 0 && status.st_dev == device) remove_entries(inner, device);
    close(inner);
    unlinkat(folder, entry->name, AT_REMOVEDIR);
  }
}

void remove_tree(int folder, const char *name) {
  if (unlinkat(folder, name, 0) == 0 || errno != EISDIR) return;
  const int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0) return;
  struct stat status;
  if (fstat(inner, &status) == 0) remove_entries(inner, status.st_dev);
  close(inner);
  unlinkat(folder, name, AT_REMOVEDIR);
}

int listen_in(int folder, const char *name) {
  char number[NUMBER_SIZE];
  char *path = join_text("/proc/self/fd/", number_text(folder, number), "/", name, NULL);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = -1;
  if (strlen(path) < sizeof address.sun_path) {
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  } else {
    errno = ENAMETOOLONG;
  }
  free(path);
  if (fd < 0) return -1;
  const mode_t before = umask(0177);
  const bool done = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 128) == 0;
  const int error = errno;
  umask(before);
  errno = error;
  if (done) return fd;
  close_keeping_errno(fd);
  return -1;
}

void close_keeping_errno(int fd) {
  const int error = errno;
  close(fd);
  errno = error;
}

char *join_text(const char *first, ...) {
  struct buffer text = {0};
  va_list pieces;
  va_start(pieces, first);
  for (const char *piece = first; piece != NULL; piece = va_arg(pieces, const char *)) {
    buffer_append(&text, piece, strlen(piece));
  }
  va_end(pieces);
  buffer_append(&text, "", 1);
  return text.data;
}
