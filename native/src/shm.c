#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"
#include "file.h"
#include "namespace.h"

static bool is_asked(const struct start *start) {
  return start->shm != NULL || start->shm_from != NULL;
}

/** A copy of the mount as the other monitor has it, or -1 with errno. */
static int copy_from_other(const struct start *start) {
  const int own = namespace_visit_process((pid_t)start->shm_monitor);
  if (own < 0) return -1;
  const int tree = open_tree(AT_FDCWD, start->shm_from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  const int error = errno;
  // Nothing may ever run in the wrong namespace.
  if (!namespace_return(own)) abort();
  errno = error;
  return tree;
}

static bool join_other(const struct start *start, const char *place) {
  const int tree = copy_from_other(start);
  if (tree < 0) return false;
  const bool done = move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0;
  close_keeping_errno(tree);
  return done;
}

static bool mount_at(const struct start *start, const char *place) {
  if (mkdir(place, 0700) != 0) return false;
  if (start->shm_from != NULL) return join_other(start, place);
  return mount("shm", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, start->shm) == 0;
}

char *shm_mount(const struct start *start) {
  if (!is_asked(start)) return NULL;
  namespace_receive_only(start->dir);
  char *place = join_text(start->dir, "/shm", NULL);
  char *failure = NULL;
  if (!mount_at(start, place)) failure = join_text("Cannot mount shared memory: ", error_text(errno), NULL);
  free(place);
  return failure;
}

void shm_unmount(const struct start *start) {
  if (!is_asked(start)) return;
  char *place = join_text(start->dir, "/shm", NULL);
  // EINVAL: it was not mounted, as the start has failed.
  if (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT) {
    complain("cannot unmount shared memory", errno);
  }
  rmdir(place);
  free(place);
}
