#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/** A cgroup tree made by the container itself may be deep; nobody's descriptors or stack are to be used up by it. */
enum { DEPTH_MAX = 64 };

static int open_folder(int folder, const char *name) {
  return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/** Write to a control file; false when there is none or the kernel refuses. */
static bool control(int cgroup, const char *file, const char *value) {
  const int fd = openat(cgroup, file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, value, strlen(value)) > 0;
  close(fd);
  return done;
}

/** Call `visit` for each cgroup right below. */
static void each_child(int cgroup, int depth, void (*visit)(int cgroup, const char *name, int depth)) {
  if (depth >= DEPTH_MAX) return;
  struct listing listing = {.folder = cgroup};
  for (const struct entry *entry; (entry = listing_next(&listing)) != NULL;) {
    if (entry->type == DT_DIR) visit(cgroup, entry->name, depth + 1);
  }
}

static void kill_listed(int cgroup) {
  const int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char text[1024];
  pid_t pid = 0;
  for (;;) {
    const ssize_t got = read(fd, text, sizeof text);
    if (got <= 0) break;
    for (ssize_t index = 0; index < got; index++) {
      if (text[index] >= '0' && text[index] <= '9') {
        pid = pid * 10 + (text[index] - '0');
        continue;
      }
      // 0 is a process of a pid namespace that is not ours, 1 can only be a mistake.
      if (pid > 1) kill(pid, SIGKILL);
      pid = 0;
    }
  }
  close(fd);
}

static void kill_tree(int parent, const char *name, int depth) {
  const int cgroup = open_folder(parent, name);
  if (cgroup < 0) return;
  if (!control(cgroup, "cgroup.kill", "1")) {
    kill_listed(cgroup);
    each_child(cgroup, depth, kill_tree);
  }
  close(cgroup);
}

static void freeze(const struct frame *start, const char *state) {
  for (const char *path = NULL; (path = frame_next(start, "cgroup", path)) != NULL;) {
    const int cgroup = open_folder(AT_FDCWD, path);
    if (cgroup < 0) continue;
    control(cgroup, "freezer.state", state);
    close(cgroup);
  }
}

void cgroups_kill(const struct frame *start) {
  // Frozen, nothing forks behind our back (v1; on v2 there is no such file, and cgroup.kill is atomic).
  freeze(start, "FROZEN");
  for (const char *path = NULL; (path = frame_next(start, "cgroup", path)) != NULL;) kill_tree(AT_FDCWD, path, 0);
  freeze(start, "THAWED");
}

static void remove_child(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
  const int cgroup = open_folder(parent, name);
  if (cgroup < 0) return;
  each_child(cgroup, depth, remove_child);
  close(cgroup);
  unlinkat(parent, name, AT_REMOVEDIR);
}

bool cgroups_remove(const struct frame *start) {
  bool all = true;
  for (const char *path = NULL; (path = frame_next(start, "cgroup", path)) != NULL;) {
    if (rmdir(path) == 0 || errno == ENOENT) continue;
    remove_child(AT_FDCWD, path, 0);
    if (rmdir(path) != 0 && errno != ENOENT) all = false;
  }
  return all;
}
