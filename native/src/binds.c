#include "binds.h"

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

static const char name[] = "binds";

static const char *next_bind(const struct start *start, const char *last) {
  return frame_next(&start->frame, "bind", last);
}

static char *problem(const char *path) {
  return join_text("Cannot bind ", path, ": ", error_text(errno), NULL);
}

/** The trees at the paths as they are on the host, one descriptor each. */
static char *take_trees(const struct start *start, struct buffer *trees) {
  char *failure = NULL;
  const int own = namespace_visit_host();
  if (own < 0) return join_text("Cannot enter the host's mount namespace: ", error_text(errno), NULL);
  for (const char *path = NULL; failure == NULL && (path = next_bind(start, path)) != NULL;) {
    const int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) failure = problem(path);
    else buffer_append(trees, &tree, sizeof tree);
  }
  // Nothing may ever run in the wrong namespace.
  if (!namespace_return(own)) abort();
  return failure;
}

/** `<dir>/binds/<n>`; by path, since a descriptor of the run directory may be older than this mount namespace. */
static char *place_of(const struct start *start, int64_t index) {
  char number[NUMBER_SIZE];
  return join_text(start->dir, "/binds/", number_text(index, number), NULL);
}

/** A folder or a file, as the tree's root is. */
static bool make_place(const char *place, int tree) {
  struct stat status;
  if (fstat(tree, &status) != 0) return false;
  return S_ISDIR(status.st_mode) ? mkdir(place, 0700) == 0 : mknod(place, S_IFREG | 0600, 0) == 0;
}

static char *put_trees(const struct start *start, const int *trees) {
  char *failure = NULL;
  const char *path = NULL;
  for (int64_t index = 0; failure == NULL && (path = next_bind(start, path)) != NULL; index++) {
    char *place = place_of(start, index);
    if (!make_place(place, trees[index]) ||
        move_mount(trees[index], "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      failure = problem(path);
    }
    free(place);
  }
  return failure;
}

char *binds_mount(const struct start *start, int folder) {
  if (next_bind(start, NULL) == NULL) return NULL;
  namespace_receive_only(start->dir);
  struct buffer trees = {0};
  char *failure = take_trees(start, &trees);
  const int *fds = (const int *)(const void *)trees.data;
  if (failure == NULL && mkdirat(folder, name, 0700) != 0) failure = problem(name);
  if (failure == NULL) failure = put_trees(start, fds);
  for (size_t index = 0; index < trees.length / sizeof *fds; index++) close(fds[index]);
  buffer_free(&trees);
  return failure;
}

void binds_unmount(const struct start *start, int folder) {
  const char *path = NULL;
  for (int64_t index = 0; (path = next_bind(start, path)) != NULL; index++) {
    char *place = place_of(start, index);
    // First alone, then away: what is shared would go from the host as well.
    if (mount(NULL, place, NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      complain("cannot unmount a bind", errno);
    }
    // Never with what is in it: that is the host's, should it still be mounted.
    if (unlink(place) != 0) rmdir(place);
    free(place);
  }
  unlinkat(folder, name, AT_REMOVEDIR);
}
