#include "resident.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/** A lock is held on this descriptor for as long as the resident client lives. */
enum { LOCK_FD = 3, START_DELAY_S = 1, LESS_URGENT = 5 };

/** `template` with its values, or false when it does not fit. */
__attribute__((format(printf, 3, 4))) static bool put(char *out, size_t size, const char *template, ...) {
  va_list values;
  va_start(values, template);
  const int length = vsnprintf(out, size, template, values);
  va_end(values);
  return length > 0 && (size_t)length < size;
}

static bool is_own_folder(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
         (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/** XDG_RUNTIME_DIR (XDG Base Directory Specification), or where it usually is; root has none of its own without a login. */
static bool find_folder(char *folder, size_t size) {
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime != NULL && runtime[0] == '/' && put(folder, size, "%s", runtime)) return is_own_folder(folder);
  if (put(folder, size, "/run/user/%u", geteuid()) && is_own_folder(folder)) return true;
  if (geteuid() != 0 || !put(folder, size, "/run/hawser-client")) return false;
  return (mkdir(folder, S_IRWXU) == 0 || errno == EEXIST) && is_own_folder(folder);
}

bool resident_find(struct resident *resident, const char *client) {
  char folder[sizeof resident->address.sun_path];
  struct stat program;
  if (getuid() != geteuid() || !find_folder(folder, sizeof folder)) return false;
  if (!put(resident->program, sizeof resident->program, "%s/resident.js", client)) return false;
  if (stat(resident->program, &program) != 0) return false;
  resident->address = (struct sockaddr_un){.sun_family = AF_UNIX};
  return put(resident->address.sun_path, sizeof resident->address.sun_path, "%s/hawser-%" PRIxMAX "-%" PRIxMAX "%lx", folder,
             (uintmax_t)program.st_ino, (uintmax_t)program.st_mtim.tv_sec, program.st_mtim.tv_nsec);
}

int resident_connect(const struct resident *resident) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  if (connect(connection, (const struct sockaddr *)&resident->address, sizeof resident->address) == 0 &&
      getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid()) {
    return connection;
  }
  close(connection);
  return -1;
}

/** In a process of its own: the resident client, when no other holds the lock. */
static _Noreturn void run(const struct resident *resident, const char *node) {
  char lock_path[sizeof resident->address.sun_path + sizeof ".lock"];
  char path[PATH_MAX], home[PATH_MAX];
  put(lock_path, sizeof lock_path, "%s.lock", resident->address.sun_path);
  const char *search = getenv("PATH"), *own_home = getenv("HOME");
  if (!put(path, sizeof path, "PATH=%s", search == NULL ? "" : search)) _exit(EXIT_FAILURE);
  if (!put(home, sizeof home, "HOME=%s", own_home == NULL ? "/" : own_home)) _exit(EXIT_FAILURE);
  const int null = open("/dev/null", O_RDWR);
  const int lock = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (null < 0 || lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0 || chdir("/") != 0) _exit(EXIT_FAILURE);
  for (int fd = 0; fd < LOCK_FD; fd++) dup2(null, fd);
  if (lock != LOCK_FD) dup2(lock, LOCK_FD);
  syscall(SYS_close_range, LOCK_FD + 1, ~0U, 0);
  nanosleep(&(struct timespec){.tv_sec = START_DELAY_S}, NULL);
  setpriority(PRIO_PROCESS, 0, LESS_URGENT); // until it is up: it sets this back by itself
  char *const arguments[] = {strdup(node), strdup("--"), strdup(resident->program), strdup(resident->address.sun_path), NULL};
  char *const environment[] = {path, home, NULL};
  execve(node, arguments, environment);
  _exit(EXIT_FAILURE);
}

void resident_start(const struct resident *resident, const char *node) {
  // Twice: it is to be nobody's child, least of all of the client that this process becomes.
  const pid_t child = fork();
  if (child != 0) {
    if (child > 0) while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    return;
  }
  if (fork() != 0) _exit(EXIT_SUCCESS);
  setsid();
  run(resident, node);
}
