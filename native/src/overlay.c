#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "complain.h"
#include "file.h"
#include "namespace.h"
#include "owners.h"

/** The longest string, with its NUL, that fsconfig takes. */
enum { FSCONFIG_VALUE = 256 };

/** "<what> <path>: <text of errno> (<detail>)" */
static char *problem(const char *what, const char *path, const char *detail) {
  const char *text = error_text(errno);
  return join_text(what, " ", path, ": ", text, detail[0] == '\0' ? "" : " (", detail, detail[0] == '\0' ? "" : ")", NULL);
}

static bool set_path(int context, const char *key, const char *path) {
  if (strlen(path) >= FSCONFIG_VALUE) {
    errno = ENAMETOOLONG;
    return false;
  }
  return fsconfig(context, FSCONFIG_SET_STRING, key, path, 0) == 0;
}

static bool set_option(int context, const char *option) {
  const char *equals = strchr(option, '=');
  if (equals == NULL) return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0) == 0;
  char *key = strndup(option, (size_t)(equals - option));
  const bool done = key != NULL && fsconfig(context, FSCONFIG_SET_STRING, key, equals + 1, 0) == 0;
  free(key);
  return done;
}

/** The layer after `last` (NULL: the topmost). */
static const char *next_lower(const struct overlay *overlay, const char *last) {
  return frame_next_of(overlay->frame, overlay->key, overlay->bind, last);
}

/**
 * Overlay alone can be read-only for good: a runtime makes a read-only bind mount writable again, and a container would
 * change the layer itself. It wants two layers, or a writable one; the mount point is an empty folder for the second.
 */
static bool needs_bottom(const struct overlay *overlay) {
  return overlay->upper == NULL && next_lower(overlay, next_lower(overlay, NULL)) == NULL;
}

/** *culprit is the value that was refused, when it was one. */
static bool configure(int context, const struct overlay *overlay, const char **culprit) {
  for (const char *lower = NULL; (lower = next_lower(overlay, lower)) != NULL;) {
    *culprit = lower;
    if (!set_path(context, "lowerdir+", lower)) return false;
  }
  if (needs_bottom(overlay) && !set_path(context, "lowerdir+", overlay->place)) return false;
  *culprit = overlay->upper == NULL ? "" : overlay->upper;
  if (overlay->upper != NULL && !set_path(context, "upperdir", overlay->upper)) return false;
  *culprit = overlay->work == NULL ? "" : overlay->work;
  if (overlay->work != NULL && !set_path(context, "workdir", overlay->work)) return false;
  for (const char *option = NULL; (option = frame_next(overlay->frame, "overlay-option", option)) != NULL;) {
    *culprit = option;
    if (!set_option(context, option)) return false;
  }
  *culprit = "";
  return set_path(context, "source", "overlay") && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

/** What the kernel has to say about a context: the last of its messages, without its level. */
static void kernel_message(int context, char *text, size_t size) {
  const int error = errno;
  text[0] = '\0';
  for (;;) {
    const ssize_t got = read(context, text, size - 1);
    if (got < 0) break;
    text[got] = '\0';
  }
  text[strcspn(text, "\n")] = '\0';
  errno = error;
}

/** As mount(2) wants it: all in one page, so the paths are taken from the folder that they have in common. */
static char *mount_options(const struct overlay *overlay, size_t common) {
  struct buffer text = {0};
  for (const char *lower = NULL; (lower = next_lower(overlay, lower)) != NULL;) {
    const char *separator = text.length == 0 ? "lowerdir=" : ":";
    buffer_append(&text, separator, strlen(separator));
    buffer_append(&text, lower + common, strlen(lower + common));
  }
  if (needs_bottom(overlay)) {
    buffer_append(&text, ":", 1);
    buffer_append(&text, overlay->place, strlen(overlay->place));
  }
  if (overlay->upper != NULL) {
    char *pair = join_text(",upperdir=", overlay->upper + common, ",workdir=", overlay->work + common, NULL);
    buffer_append(&text, pair, strlen(pair));
    free(pair);
  }
  for (const char *option = NULL; (option = frame_next(overlay->frame, "overlay-option", option)) != NULL;) {
    buffer_append(&text, ",", 1);
    buffer_append(&text, option, strlen(option));
  }
  buffer_append(&text, "", 1);
  return text.data;
}

/** How many of the first `most` bytes are the same. */
static size_t same_bytes(const char *one, const char *other, size_t most) {
  size_t same = 0;
  while (same < most && one[same] == other[same]) same++;
  return same;
}

/** How much of all of the paths, up to and with a slash, is the same. */
static size_t common_folder(const struct overlay *overlay) {
  const char *first = next_lower(overlay, NULL);
  size_t common = strlen(first);
  for (const char *lower = first; lower != NULL; lower = next_lower(overlay, lower)) {
    common = same_bytes(first, lower, common);
  }
  if (overlay->upper != NULL) {
    common = same_bytes(first, overlay->upper, common);
    common = same_bytes(first, overlay->work, common);
  }
  while (common > 0 && first[common - 1] != '/') common--;
  return common;
}

/** For kernels whose overlay does not know lowerdir+ (before 6.8) and paths too long for fsconfig. */
static char *mount_the_old_way(const struct overlay *overlay) {
  for (const char *lower = NULL; (lower = next_lower(overlay, lower)) != NULL;) {
    if (strpbrk(lower, ":,\\") == NULL) continue;
    errno = EINVAL;
    return problem("Cannot mount", lower, "characters that overlay's options do not take");
  }
  const size_t common = common_folder(overlay);
  char *folder = strndup(next_lower(overlay, NULL), common);
  char *options = mount_options(overlay, common);
  char *failure = NULL;
  if (folder == NULL || chdir(folder) != 0 ||
      mount("overlay", overlay->place, "overlay", overlay->upper == NULL ? MS_RDONLY : 0, options) != 0) {
    failure = problem("Cannot mount overlay at", overlay->place, "");
  }
  free(options);
  free(folder);
  if (chdir("/") != 0) complain("cannot leave the layers' folder", errno);
  return failure;
}

/**
 * Where its work folder cannot be prepared, on a full disk above all, overlay is mounted all the same, and nothing can be written
 * to it. False, with the reason as errno, when that has happened.
 */
static bool is_writable(const struct overlay *overlay) {
  struct statvfs stats;
  if (statvfs(overlay->place, &stats) != 0 || (stats.f_flag & ST_RDONLY) == 0) return true;
  char *probe = join_text(overlay->work, "/probe", NULL);
  if (mkdir(probe, 0700) == 0) {
    rmdir(probe);
    errno = EROFS;
  }
  const int error = errno;
  free(probe);
  umount2(overlay->place, MNT_DETACH);
  errno = error;
  return false;
}

char *overlay_mount_layers(const struct overlay *overlay) {
  const int context = fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) return problem("Cannot mount overlay at", overlay->place, "the kernel has no overlay");
  char *failure = NULL;
  const char *culprit = "";
  if (configure(context, overlay, &culprit)) {
    const int mounted = fsmount(context, FSMOUNT_CLOEXEC, overlay->upper == NULL ? MOUNT_ATTR_RDONLY : 0);
    if (mounted < 0 || move_mount(mounted, "", AT_FDCWD, overlay->place, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      failure = problem("Cannot mount overlay at", overlay->place, "");
    }
    if (mounted >= 0) close(mounted);
  } else {
    char detail[256];
    kernel_message(context, detail, sizeof detail);
    // Before 6.5 the whole configuration is refused at the end, without a word.
    const bool silent = errno == EINVAL && detail[0] == '\0' && culprit[0] == '\0';
    const bool not_understood = errno == ENAMETOOLONG || silent || (errno == EINVAL && strstr(detail, "lowerdir+") != NULL);
    const char *why = detail[0] == '\0' ? culprit : detail;
    failure = not_understood ? mount_the_old_way(overlay) : problem("Cannot mount overlay at", overlay->place, why);
  }
  close(context);
  if (failure == NULL && overlay->upper != NULL && !is_writable(overlay)) {
    failure = problem("Cannot mount an overlay that works in", overlay->work, "");
  }
  return failure;
}

/**
 * Put a copy of what is at `folder` over it, for this mount namespace alone, in which files are seen as others': overlay has no
 * owners of its own to change, but takes its layers as they are seen. NULL, or what went wrong.
 */
static char *change_owners(const char *folder, const struct start *start) {
  const int namespace = owners_open(start->uids, start->gids);
  if (namespace < 0) return problem("Cannot make a user namespace for", folder, "");
  namespace_receive_only(folder);
  const int tree = open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)namespace};
  char *failure = NULL;
  if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0 ||
      move_mount(tree, "", AT_FDCWD, folder, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    failure = problem("Cannot show files as others' in", folder, "");
  }
  if (tree >= 0) close(tree);
  close(namespace);
  return failure;
}

static char *mount_for_others(const struct overlay *overlay, const struct start *start) {
  char *folder = strndup(next_lower(overlay, NULL), common_folder(overlay));
  if (folder == NULL) return problem("Cannot mount", overlay->place, "");
  char *failure = change_owners(folder, start);
  if (failure == NULL) {
    failure = overlay_mount_layers(overlay);
    if (umount2(folder, MNT_DETACH) != 0) complain("cannot take the layers' owners back", errno);
  }
  free(folder);
  return failure;
}

char *overlay_mount(const struct start *start) {
  if (frame_get(&start->frame, "lower") == NULL) return NULL;
  if (mkdir(start->rootfs, 0700) != 0 && errno != EEXIST) return problem("Cannot make", start->rootfs, "");
  namespace_receive_only(start->rootfs);
  const struct overlay overlay = {
      .frame = &start->frame,
      .key = "lower",
      .bind = -1,
      .upper = start->upper,
      .work = start->work,
      .place = start->rootfs,
  };
  return start->uids == NULL ? overlay_mount_layers(&overlay) : mount_for_others(&overlay, start);
}

void overlay_unmount(const struct start *start) {
  if (frame_get(&start->frame, "lower") == NULL) return;
  if (umount2(start->rootfs, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) return;
  if (umount2(start->rootfs, UMOUNT_NOFOLLOW | MNT_DETACH) != 0) complain("cannot unmount the root", errno);
}
