/*
 * hawser-launcher --socket <path> --version-string <text> [--preload <program>]…
 *
 * Resident; every connection to its socket is a process of its own, which answers one message: `ping`, `shutdown`, or
 * `start`, whose process becomes the container's monitor. See docs/contracts/monitor-protocol.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "complain.h"
#include "file.h"
#include "loop.h"
#include "monitor.h"
#include "namespace.h"
#include "preload.h"
#include "spawn.h"

/** How long a connection may take to say what it wants. */
enum { GREETING_MS = 10000 };

enum { EXIT_USAGE = 2, EXIT_TAKEN = 3 };

/** For the signal handler only. */
static const char *socket_path;

static void end(int signal) {
  (void)signal;
  unlink(socket_path);
  _exit(EXIT_SUCCESS);
}

/** Standard input and output are /dev/null, which children rely on; nothing else is open but standard error. */
static bool clean_descriptors(void) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return false;
  if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(null, STDERR_FILENO);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  return close_range(3, ~0U, 0) == 0;
}

static void clean_environment(void) {
  unsetenv("NOTIFY_SOCKET"); // or a runtime takes it for its container's
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_PID");
}

/** Whether somebody listens at `name`. */
static bool is_alive(int folder, const char *name) {
  char number[NUMBER_SIZE];
  char *path = join_text("/proc/self/fd/", number_text(folder, number), "/", name, NULL);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  bool alive = false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && strlen(path) < sizeof address.sun_path) {
    memcpy(address.sun_path, path, strlen(path) + 1);
    alive = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  }
  if (fd >= 0) close(fd);
  free(path);
  return alive;
}

/** The listening socket, at its place only when it can be connected to; negative after a complaint. */
static int listen_at(int folder, const char *name) {
  char *beside = join_text(name, ".new", NULL);
  unlinkat(folder, beside, 0);
  const int fd = listen_in(folder, beside);
  const bool done = fd >= 0 && renameat(folder, beside, folder, name) == 0;
  free(beside);
  if (done) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
  }
  complain("cannot listen", errno);
  if (fd >= 0) close(fd);
  return -EXIT_FAILURE;
}

/** Enter our namespace and listen at `path`. The socket, or an exit status with a minus after a complaint. */
static int take_place(const char *path) {
  char *exec_root = copy_text(path);
  char *slash = strrchr(exec_root, '/');
  const char *name = path + (slash - exec_root) + 1;
  slash[slash == exec_root ? 1 : 0] = '\0';
  int listener = -EXIT_FAILURE;
  if (namespace_enter(exec_root) && chdir("/") == 0) {
    const int folder = open(exec_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
      complain("cannot open the exec root", errno);
    } else if (is_alive(folder, name)) {
      complain("another launcher answers at this socket", 0);
      listener = -EXIT_TAKEN;
    } else {
      listener = listen_at(folder, name);
    }
    if (folder >= 0) close(folder);
  }
  free(exec_root);
  return listener;
}

static void answer(int fd, const char *kind, const char *version) {
  struct message message = {0};
  message_open(&message, kind);
  if (version != NULL) {
    message_add_number(&message, "protocol", PROTOCOL);
    message_add(&message, "version", version);
    message_add_number(&message, "pid", getppid());
  }
  message_send(&message, fd);
}

/** End the launcher, our parent, and wait until that has happened. */
static void end_launcher(pid_t launcher) {
  const int parent = pidfd_open(launcher, 0);
  if (parent < 0) return;
  if (getppid() == launcher && pidfd_send_signal(parent, SIGTERM, NULL, 0) == 0) {
    struct pollfd ended = {.fd = parent, .events = POLLIN};
    poll(&ended, 1, GREETING_MS);
  }
  close(parent);
}

static enum frame_status wait_for_frame(struct frame_reader *reader, int fd) {
  const int64_t deadline = loop_now_ms() + GREETING_MS;
  for (;;) {
    const enum frame_status status = frame_read(reader, fd);
    const int64_t left = deadline - loop_now_ms();
    if (status != FRAME_AGAIN) return status;
    if (left <= 0) return FRAME_BROKEN;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    poll(&readable, 1, (int)left);
  }
}

/** In a process of its own: what one connection wants. */
static int serve(int connection, pid_t launcher, const char *version) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid()) return EXIT_FAILURE;
  struct frame_reader reader = {.passed = -1};
  const enum frame_status status = wait_for_frame(&reader, connection);
  const struct frame *frame = &reader.frame;
  if (status == FRAME_READY && frame_is(frame, "start")) {
    return monitor_run(connection, reader.frame, reader.passed, version);
  }
  if (status == FRAME_READY && frame_is(frame, "ping")) {
    answer(connection, "pong", version);
  } else if (status == FRAME_READY && frame_is(frame, "shutdown")) {
    end_launcher(launcher);
    answer(connection, "done", NULL);
  } else if (status != FRAME_END) {
    answer(connection, "error", NULL);
  }
  frame_reader_reset(&reader);
  return EXIT_SUCCESS;
}

static _Noreturn void accept_all(int listener, const char *version) {
  const pid_t launcher = getpid();
  for (;;) {
    const int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      complain("cannot accept a connection", errno);
      nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL); // the system is out of something
      continue;
    }
    const pid_t child = fork();
    if (child == 0) {
      close(listener);
      signal(SIGCHLD, SIG_DFL);
      exit(serve(connection, launcher, version));
    }
    if (child < 0) complain("cannot fork", errno);
    close(connection);
  }
}

static int usage(void) {
  static const char text[] = "usage: hawser-launcher --socket <path> --version-string <text> [--preload <program>]...\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  return EXIT_USAGE;
}

int main(int count, char **arguments) {
  const char *path = NULL, *version = NULL;
  for (int index = 1; index + 1 < count; index += 2) {
    if (strcmp(arguments[index], "--socket") == 0) path = arguments[index + 1];
    else if (strcmp(arguments[index], "--version-string") == 0) version = arguments[index + 1];
    else if (strcmp(arguments[index], "--preload") != 0) return usage();
  }
  if (count % 2 == 0 || path == NULL || version == NULL || path[0] != '/' || path[1] == '\0') return usage();

  if (!clean_descriptors()) return EXIT_FAILURE;
  clean_environment();
  mallopt(M_MMAP_THRESHOLD, 64 * 1024); // fixed, so that what a burst needed goes back to the kernel
  umask(077);
  setsid();
  const int listener = take_place(path);
  if (listener < 0) return -listener;
  for (int index = 1; index + 1 < count; index += 2) {
    if (strcmp(arguments[index], "--preload") == 0) preload_keep(arguments[index + 1]);
  }
  ignore_ending_signals();
  signal(SIGCHLD, SIG_IGN);
  socket_path = path;
  signal(SIGTERM, end);
  accept_all(listener, version);
}
