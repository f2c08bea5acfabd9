#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"
#include "file.h"
#include "frame.h"

/** A mount of the root's tree on the root itself, and then into it. */
static bool make_root_a_mount(void) {
  struct statx status;
  if (statx(AT_FDCWD, "/", 0, 0, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) return true;
  const int tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  const bool done = tree >= 0 && move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
                    fchdir(tree) == 0 && chroot(".") == 0;
  if (tree >= 0) close(tree);
  return done;
}

static bool is_cgroup2(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

/** Replace mountinfo's octal escapes. */
static void unescape(char *text) {
  char *out = text;
  while (*text != '\0') {
    if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] != '\0' && text[3] != '\0') {
      *out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text += 4;
    } else {
      *out++ = *text++;
    }
  }
  *out = '\0';
}

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/** Whether it is a container's root or network of another engine, to be known by where those keep them. */
static bool is_foreign(const char *point, const char *type) {
  if (strcmp(type, "overlay") == 0) {
    return starts_with(point, "/var/lib/docker/") || starts_with(point, "/var/lib/containers/") ||
           starts_with(point, "/run/containerd/") || starts_with(point, "/var/lib/containerd/");
  }
  return strcmp(type, "nsfs") == 0 && starts_with(point, "/run/docker/netns/");
}

/** Line of mountinfo: id parent device root POINT options [optional…] - TYPE source options */
static void detach_if_foreign(char *line) {
  char *rest = line;
  char *point = NULL;
  for (int field = 0; field < 5 && rest != NULL; field++) point = strsep(&rest, " ");
  char *type = rest == NULL ? NULL : strstr(rest, " - ");
  if (point == NULL || type == NULL) return;
  type += strlen(" - ");
  type[strcspn(type, " ")] = '\0';
  unescape(point);
  if (is_foreign(point, type)) umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
}

static void detach_foreign_mounts(void) {
  const int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  // All of it first: the kernel's list changes under the hands of who unmounts while reading.
  struct buffer text = {0};
  char piece[4096];
  for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;) buffer_append(&text, piece, (size_t)got);
  close(fd);
  buffer_append(&text, "", 1);
  char *rest = text.data;
  for (char *line; (line = strsep(&rest, "\n")) != NULL;) detach_if_foreign(line);
  buffer_free(&text);
}

static const char unified[] = "/sys/fs/cgroup/unified";
static bool is_hybrid;

static bool cover_unified(void) {
  return mount("none", unified, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") == 0;
}

bool namespace_unshare(void) {
  return unshare(CLONE_NEWNS) == 0 && (!is_hybrid || cover_unified());
}

/** The host's mount namespace, from `namespace_enter` on. */
static int host = -1;

static int open_own(void) {
  return open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

static int visit(int namespace) {
  const int own = open_own();
  if (own < 0) return -1;
  if (setns(namespace, CLONE_NEWNS) == 0) return own;
  close_keeping_errno(own);
  return -1;
}

int namespace_visit_host(void) {
  return visit(host);
}

int namespace_visit_process(pid_t pid) {
  char number[NUMBER_SIZE];
  char *path = join_text("/proc/", number_text(pid, number), "/ns/mnt", NULL);
  const int namespace = open(path, O_RDONLY | O_CLOEXEC);
  free(path);
  if (namespace < 0) return -1;
  const int own = visit(namespace);
  close_keeping_errno(namespace);
  return own;
}

bool namespace_return(int own) {
  const bool done = setns(own, CLONE_NEWNS) == 0;
  close(own);
  return done;
}

void namespace_close_host(void) {
  close(host);
  host = -1;
}

void namespace_receive_only(const char *path) {
  char *parent = copy_text(path);
  for (;;) {
    struct statx status;
    if (statx(AT_FDCWD, parent, AT_SYMLINK_NOFOLLOW, 0, &status) == 0 &&
        (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
      break;
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL) break;
    slash[slash == parent ? 1 : 0] = '\0';
    if (strcmp(parent, "/") == 0) break;
  }
  if (mount(NULL, parent, NULL, MS_SLAVE, NULL) != 0) complain("cannot make the mount of the run directory a slave", errno);
  free(parent);
}

bool namespace_enter(const char *exec_root) {
  const char *failed = NULL;
  if ((host = open_own()) < 0) failed = "cannot open the host's mount namespace";
  else if (unshare(CLONE_NEWNS) != 0) failed = "cannot make a mount namespace";
  else if (!make_root_a_mount()) failed = "cannot make the root a mount";
  else if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) failed = "cannot make the mounts slaves";
  else if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) != 0) failed = "cannot make the mounts shared";
  else if (mount(exec_root, exec_root, NULL, MS_BIND | MS_REC, NULL) != 0 ||
           mount(NULL, exec_root, NULL, MS_REC | MS_SLAVE, NULL) != 0) {
    failed = "cannot make the exec root a mount";
  }
  if (failed != NULL) {
    complain(failed, errno);
    return false;
  }
  if (!is_cgroup2("/sys/fs/cgroup") && is_cgroup2(unified)) {
    if (umount2(unified, MNT_DETACH) != 0 || !cover_unified() || mount(NULL, unified, NULL, MS_PRIVATE, NULL) != 0) {
      complain("cannot replace the unified cgroup hierarchy", errno);
      return false;
    }
    is_hybrid = true;
  }
  detach_foreign_mounts();
  return true;
}
