#include "owners.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "frame.h"

/** A file of a process in /proc. -1 with errno. */
static int open_of(pid_t pid, const char *name, int flags) {
  char number[NUMBER_SIZE];
  char *path = join_text("/proc/", number_text(pid, number), "/", name, NULL);
  const int fd = open(path, flags | O_CLOEXEC);
  const int error = errno;
  free(path);
  errno = error;
  return fd;
}

static bool write_map(pid_t pid, const char *name, const char *text) {
  const int fd = open_of(pid, name, O_WRONLY);
  if (fd < 0) return false;
  const size_t size = strlen(text);
  // All of it at once: the kernel takes one write.
  const bool done = write(fd, text, size) == (ssize_t)size;
  const int error = errno;
  close(fd);
  errno = error;
  return done;
}

/** Holds a new user namespace until it is killed; tells through the pipe why it has none, or 0. */
static void hold_namespace(int pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int error = unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
  if (write(pipe, &error, sizeof error) != sizeof error || error != 0) _exit(EXIT_FAILURE);
  for (;;) pause();
}

int owners_open(const char *uids, const char *gids) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return -1;
  const pid_t holder = fork();
  if (holder == 0) hold_namespace(pipes[1]);
  int error = holder < 0 ? errno : 0;
  close(pipes[1]);
  if (holder > 0 && read(pipes[0], &error, sizeof error) != sizeof error) error = ECHILD;
  close(pipes[0]);
  int namespace = -1;
  if (error == 0) {
    if (write_map(holder, "uid_map", uids) && write_map(holder, "gid_map", gids)) {
      namespace = open_of(holder, "ns/user", O_RDONLY);
    }
    error = namespace < 0 ? errno : 0;
  }
  if (holder > 0) {
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
  }
  errno = error;
  return namespace;
}
