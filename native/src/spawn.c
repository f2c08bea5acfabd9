#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"
#include "preload.h"

static const int ending_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};

static void set_ending_signals(void (*handler)(int)) {
  const struct sigaction action = {.sa_handler = handler};
  for (size_t index = 0; index < sizeof ending_signals / sizeof *ending_signals; index++) {
    sigaction(ending_signals[index], &action, NULL);
  }
}

void ignore_ending_signals(void) {
  set_ending_signals(SIG_IGN);
}

void arguments_take(struct arguments *arguments, char *text) {
  enum { STEP = 16 };
  if (arguments->count % STEP == 0) {
    // One slot more than the step: the NULL that ends the list.
    char **items = realloc(arguments->items, (arguments->count + STEP + 1) * sizeof *items);
    if (items == NULL) {
      complain("out of memory", 0);
      abort();
    }
    arguments->items = items;
  }
  arguments->items[arguments->count++] = text;
  arguments->items[arguments->count] = NULL;
}

void arguments_add(struct arguments *arguments, const char *text) {
  arguments_take(arguments, copy_text(text));
}

void arguments_free(struct arguments *arguments) {
  for (size_t index = 0; index < arguments->count; index++) free(arguments->items[index]);
  free(arguments->items);
  *arguments = (struct arguments){0};
}

/** In the child, which shares the parent's memory until it runs its program: system calls only. */
static int become(char *const *items, int program, const int streams[3], pid_t parent) {
  // A runtime whose monitor was killed would go on to make a container that nobody watches.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (getppid() != parent) return ECHILD;
  // So that it can be ended with all that it has started.
  if (setpgid(0, 0) != 0) return errno;
  set_ending_signals(SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(022);
  // Above the three places first, or placing one could overwrite another.
  int moved[3];
  for (int index = 0; index < 3; index++) {
    moved[index] = fcntl(streams[index], F_DUPFD, 3);
    if (moved[index] < 0) return errno;
  }
  for (int index = 0; index < 3; index++) {
    if (dup2(moved[index], index) < 0) return errno;
  }
  if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  if (program >= 0) execveat(program, "", items, environ, AT_EMPTY_PATH);
  execv(items[0], items);
  return errno;
}

void spawn_kill(pid_t pid) {
  kill(-pid, SIGKILL);
  kill(pid, SIGKILL);
}

pid_t spawn(const struct arguments *arguments, const int streams[3]) {
  volatile int error = 0;
  const pid_t parent = getpid();
  const int program = preload_find(arguments->items[0]);
  const pid_t pid = vfork();
  if (pid == 0) {
    error = become(arguments->items, program, streams, parent);
    _exit(127);
  }
  if (pid < 0 || error == 0) return pid;
  // The child is a zombie now; whoever reaps strangers takes it.
  errno = error;
  return -1;
}
