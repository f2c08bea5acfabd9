#include "binds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"
#include "file.h"
#include "namespace.h"
#include "overlay.h"
#include "owners.h"

static const char name[] = "binds";

static const char *next_bind(const struct start *start, const char *last) {
  return frame_next(&start->frame, "bind", last);
}

/** What the message says of a bind beside its path. */
static const char *option_of(const struct start *start, const char *key, int64_t index) {
  return frame_next_of(&start->frame, key, index, NULL);
}

static char *problem(const char *path) {
  return join_text("Cannot bind ", path, ": ", error_text(errno), NULL);
}

/** `<dir>/binds/<n>`; by path, since a descriptor of the run directory may be older than this mount namespace. */
static char *place_of(const struct start *start, int64_t index, const char *suffix) {
  char number[NUMBER_SIZE];
  return join_text(start->dir, "/binds/", number_text(index, number), suffix, NULL);
}

/** Where a bind's layers are one tree, before a part of it is taken. */
static const char layered[] = "-layers";

static bool is_asked(const struct start *start, int64_t index, const char *what) {
  const char *option = NULL;
  while ((option = frame_next_of(&start->frame, "bind-option", index, option)) != NULL) {
    if (strcmp(option, what) == 0) return true;
  }
  return false;
}

/** A copy of the mount at `path`, or of that of a part of it: no link leads out of `path`. `below`: AT_RECURSIVE or 0. */
static int clone_tree(const char *path, const char *part, unsigned below) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below;
  if (part == NULL) return open_tree(AT_FDCWD, path, flags);
  const int root = open(path, O_PATH | O_CLOEXEC);
  if (root < 0) return -1;
  const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  // EAGAIN: something was renamed on the way, and the kernel could not be sure.
  int attempts = 100;
  int found;
  do found = (int)syscall(SYS_openat2, root, part, &how, sizeof how);
  while (found < 0 && errno == EAGAIN && --attempts > 0);
  close_keeping_errno(root);
  if (found < 0) return -1;
  const int tree = open_tree(found, "", flags | AT_EMPTY_PATH);
  close_keeping_errno(found);
  return tree;
}

/** Show the tree's files as others'. NULL, or why not. */
static char *change_owners(const struct start *start, int64_t index, int tree) {
  const char *uids = option_of(start, "bind-uids", index), *gids = option_of(start, "bind-gids", index);
  if (uids == NULL || gids == NULL) return NULL;
  const int namespace = owners_open(uids, gids);
  if (namespace < 0) return join_text("Cannot make a user namespace for a mount: ", error_text(errno), NULL);
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)namespace};
  const bool done = mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0;
  close_keeping_errno(namespace);
  if (done) return NULL;
  const char *why = errno == EINVAL ? "its file system, or one below it, cannot do that" : error_text(errno);
  return join_text("Cannot change the owners that a mount shows: ", why, NULL);
}

static char *change_tree(const struct start *start, int64_t index, int tree) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  if (is_asked(start, index, "read-only") &&
      mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    return join_text("Cannot make a mount read-only: ", error_text(errno), NULL);
  }
  return change_owners(start, index, tree);
}

/** *tree is a descriptor that the caller closes, or -1. */
static char *take_tree(const struct start *start, int64_t index, const char *path, int *tree) {
  const char *part = option_of(start, "bind-within", index);
  *tree = clone_tree(path, part, is_asked(start, index, "alone") ? 0 : AT_RECURSIVE);
  if (*tree >= 0) return change_tree(start, index, *tree);
  if (part == NULL) return problem(path);
  return join_text("cannot access path ", path, "/", part, ": ", error_text(errno), NULL);
}

static bool has_layers(const struct start *start, int64_t index) {
  return option_of(start, "bind-layer", index) != NULL;
}

/** The trees at the paths as they are on the host, one descriptor each; -1 for those of layers. */
static char *take_trees(const struct start *start, struct buffer *trees) {
  char *failure = NULL;
  const int own = namespace_visit_host();
  if (own < 0) return join_text("Cannot enter the host's mount namespace: ", error_text(errno), NULL);
  const char *path = NULL;
  for (int64_t index = 0; failure == NULL && (path = next_bind(start, path)) != NULL; index++) {
    int tree = -1;
    if (!has_layers(start, index)) failure = take_tree(start, index, path, &tree);
    buffer_append(trees, &tree, sizeof tree);
  }
  // Nothing may ever run in the wrong namespace.
  if (!namespace_return(own)) abort();
  return failure;
}

/** The tree that a bind's layers are together. */
static char *join_layers(const struct start *start, int64_t index, int *tree) {
  char *place = place_of(start, index, layered);
  const struct overlay overlay = {.frame = &start->frame, .key = "bind-layer", .bind = index, .place = place,
                                  .upper = option_of(start, "bind-upper", index), .work = option_of(start, "bind-work", index)};
  char *failure = mkdir(place, 0700) == 0 ? overlay_mount_layers(&overlay) : problem(place);
  if (failure == NULL) failure = take_tree(start, index, place, tree);
  free(place);
  return failure;
}

/** A folder or a file, as the tree's root is. */
static bool make_place(const char *place, int tree) {
  struct stat status;
  if (fstat(tree, &status) != 0) return false;
  return S_ISDIR(status.st_mode) ? mkdir(place, 0700) == 0 : mknod(place, S_IFREG | 0600, 0) == 0;
}

static char *put_trees(const struct start *start, int *trees) {
  char *failure = NULL;
  const char *path = NULL;
  for (int64_t index = 0; failure == NULL && (path = next_bind(start, path)) != NULL; index++) {
    if (has_layers(start, index)) failure = join_layers(start, index, &trees[index]);
    if (failure != NULL) break;
    char *place = place_of(start, index, "");
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
  int *fds = (int *)(void *)trees.data;
  if (failure == NULL && mkdirat(folder, name, 0700) != 0) failure = problem(name);
  if (failure == NULL) failure = put_trees(start, fds);
  for (size_t index = 0; index < trees.length / sizeof *fds; index++) {
    if (fds[index] >= 0) close(fds[index]);
  }
  buffer_free(&trees);
  return failure;
}

static void take_away(char *place) {
  // First alone, then away: what is shared would go from the host as well.
  if (mount(NULL, place, NULL, MS_REC | MS_PRIVATE, NULL) == 0 && umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
    complain("cannot unmount a bind", errno);
  }
  // Never with what is in it: that is the host's, should it still be mounted.
  if (unlink(place) != 0) rmdir(place);
  free(place);
}

void binds_unmount(const struct start *start, int folder) {
  const char *path = NULL;
  for (int64_t index = 0; (path = next_bind(start, path)) != NULL; index++) {
    take_away(place_of(start, index, ""));
    if (has_layers(start, index)) take_away(place_of(start, index, layered));
  }
  unlinkat(folder, name, AT_REMOVEDIR);
}
