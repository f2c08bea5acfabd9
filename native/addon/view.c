/* The file system of a container, for one thread alone: a private mount namespace, and a root in it. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Texts that lie one after the other, each with a NUL at its end. */
struct list {
  const char *at, *end;
};

static const char *next_text(struct list *list) {
  if (list->at >= list->end) return NULL;
  const char *text = list->at;
  list->at += strlen(text) + 1;
  return text;
}

static bool take_list(napi_env env, napi_value value, struct list *out) {
  struct bytes bytes;
  if (!take_bytes(env, value, &bytes)) return false;
  const char *data = (const char *)bytes.data;
  if (bytes.size > 0 && data[bytes.size - 1] != '\0') {
    napi_throw_type_error(env, NULL, "a list of texts must end with NUL");
    return false;
  }
  *out = (struct list){.at = data, .end = bytes.size == 0 ? data : data + bytes.size};
  return true;
}

struct view {
  int namespace_fd; /* -1: the process' own */
  bool root_only;
  bool read_only; /* the root, not what is bound in it */
  bool is_volatile;
  struct list lower;
  struct text upper, work; /* empty: none */
  struct list binds;
};

struct failure {
  const char *syscall;
  const char *path;
};

static int fail(struct failure *failure, const char *syscall, const char *path) {
  *failure = (struct failure){.syscall = syscall, .path = path};
  return -1;
}

static void close_keeping_errno(int fd) {
  const int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
}

/* For kernels before 6.8, whose overlay wants all layers in one text of at most a page. */
static int mount_in_one_text(const struct view *view, const char *place) {
  char options[4096];
  size_t length = 0;
  struct list lower = view->lower;
  for (const char *path; (path = next_text(&lower)) != NULL;) {
    const size_t room = sizeof options - length;
    const int written = snprintf(options + length, room, "%s%s", length == 0 ? "lowerdir=" : ":", path);
    if (written < 0 || (size_t)written >= room) return errno = E2BIG, -1;
    length += (size_t)written;
  }
  if (view->upper.data[0] != '\0') {
    const size_t room = sizeof options - length;
    const int written = snprintf(options + length, room, ",upperdir=%s,workdir=%s%s", view->upper.data, view->work.data,
                                 view->is_volatile ? ",volatile" : "");
    if (written < 0 || (size_t)written >= room) return errno = E2BIG, -1;
  }
  if (mount("overlay", place, "overlay", view->upper.data[0] == '\0' ? MS_RDONLY : 0, options) != 0) return -1;
  return open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool configure(int context, const struct view *view) {
  struct list lower = view->lower;
  for (const char *path; (path = next_text(&lower)) != NULL;) {
    if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", path, 0) != 0) return false;
  }
  if (view->upper.data[0] != '\0' && (fsconfig(context, FSCONFIG_SET_STRING, "upperdir", view->upper.data, 0) != 0 ||
                                      fsconfig(context, FSCONFIG_SET_STRING, "workdir", view->work.data, 0) != 0))
    return false;
  if (view->is_volatile && fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) != 0) return false;
  return fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

/* The layers as one tree, attached over the topmost folder: only this namespace sees that. */
static int mount_layers(const struct view *view, struct failure *failure) {
  struct list lower = view->lower;
  const char *first = next_text(&lower);
  const char *place = view->upper.data[0] == '\0' ? first : view->upper.data;
  if (view->upper.data[0] == '\0' && lower.at >= lower.end) { /* overlay alone wants two */
    const int fd = open(first, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : fail(failure, "open", first);
  }
  const int context = fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) return fail(failure, "fsopen", NULL);
  int root = -1;
  if (configure(context, view)) {
    root = fsmount(context, FSMOUNT_CLOEXEC, view->upper.data[0] == '\0' ? MOUNT_ATTR_RDONLY : 0);
    if (root >= 0 && move_mount(root, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      close_keeping_errno(root);
      root = -1;
    }
  } else if (errno == EINVAL || errno == ENAMETOOLONG) {
    root = mount_in_one_text(view, place);
  }
  close_keeping_errno(context);
  return root >= 0 ? root : fail(failure, "mount", place);
}

static int open_inside(int root, const char *path, uint64_t flags) {
  const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  for (int attempt = 0;; attempt++) {
    const long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    /* EAGAIN: something was renamed on the way */
    if (fd >= 0 || errno != EAGAIN || attempt == 100) return (int)fd;
  }
}

/* The place of a mount, made where it is missing; never outside of `root`, whatever links are on the way. */
static int open_place(int root, const char *path, bool is_folder) {
  char part[PATH_MAX];
  if (strlen(path) >= sizeof part) return errno = ENAMETOOLONG, -1;
  int found = open_inside(root, path, O_PATH);
  if (found >= 0 || errno != ENOENT) return found;
  int folder = open_inside(root, "/", O_PATH | O_DIRECTORY);
  for (const char *at = path; folder >= 0;) {
    at += strspn(at, "/");
    if (*at == '\0') return folder;
    const size_t length = strcspn(at, "/");
    const char *rest = at + length + strspn(at + length, "/");
    const bool last = *rest == '\0';
    char name[NAME_MAX + 1];
    if (length > NAME_MAX) {
      errno = ENAMETOOLONG;
      break;
    }
    memcpy(name, at, length);
    name[length] = '\0';
    memcpy(part, path, (size_t)(at - path) + length);
    part[(size_t)(at - path) + length] = '\0';
    int next = open_inside(root, part, O_PATH);
    if (next < 0 && errno == ENOENT) {
      const int made = last && !is_folder ? mknodat(folder, name, S_IFREG | 0644, 0) : mkdirat(folder, name, 0755);
      if (made == 0 || errno == EEXIST) next = open_inside(root, part, O_PATH);
    }
    close_keeping_errno(folder);
    folder = next;
    at = rest;
  }
  close_keeping_errno(folder);
  return -1;
}

/* The mount at `path`, or at `part` of it unless that is empty. */
static int clone_tree(const char *path, const char *part, unsigned recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
  if (*part == '\0') return open_tree(AT_FDCWD, path, flags);
  const int root = open(path, O_PATH | O_CLOEXEC);
  if (root < 0) return -1;
  const int found = open_inside(root, part, O_PATH);
  close_keeping_errno(root);
  if (found < 0) return -1;
  const int mounted = open_tree(found, "", flags | AT_EMPTY_PATH);
  close_keeping_errno(found);
  return mounted;
}

/* The texts up to an empty one. */
static struct list take_texts(struct list *list) {
  struct list texts = {.at = list->at};
  const char *text;
  do {
    texts.end = list->at;
    text = next_text(list);
  } while (text != NULL && *text != '\0');
  return texts;
}

/* An image's layers as one tree, to be found at the topmost of them. */
static bool join_layers(struct list layers, struct failure *failure) {
  struct view *image = calloc(1, sizeof *image);
  if (image == NULL) return fail(failure, "calloc", NULL) == 0;
  image->lower = layers;
  const int root = mount_layers(image, failure);
  free(image);
  if (root < 0) return false;
  close(root);
  return true;
}

static int bind_all(int root, const struct view *view, struct failure *failure) {
  struct list binds = view->binds;
  for (const char *source; (source = next_text(&binds)) != NULL;) {
    const char *part = next_text(&binds), *target = next_text(&binds), *options = next_text(&binds);
    if (part == NULL || target == NULL || options == NULL) return errno = EINVAL, fail(failure, "mount", source);
    const struct list layers = take_texts(&binds);
    if (layers.at < layers.end && !join_layers(layers, failure)) return -1;
    const unsigned recursive = strchr(options, 'r') != NULL ? AT_RECURSIVE : 0;
    const int mounted = clone_tree(source, part, recursive);
    if (mounted < 0) {
      if (errno == ENOENT) continue; /* a source that is made, or missed, at the start */
      return fail(failure, "open_tree", source);
    }
    struct stat stats;
    struct mount_attr attributes = {.attr_set = strchr(options, 'o') != NULL ? MOUNT_ATTR_RDONLY : 0,
                                    .propagation = MS_PRIVATE};
    int place = -1;
    if (fstat(mounted, &stats) == 0 &&
        mount_setattr(mounted, "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) == 0)
      place = open_place(root, target, S_ISDIR(stats.st_mode));
    const bool done = place >= 0 && move_mount(mounted, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
    close_keeping_errno(place);
    close_keeping_errno(mounted);
    if (!done) return fail(failure, "mount", target);
  }
  return 0;
}

static int open_root(const struct view *view, struct failure *failure) {
  if (view->lower.at < view->lower.end) return mount_layers(view, failure);
  if (view->root_only) {
    const int root = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return root >= 0 ? root : fail(failure, "open_tree", "/");
  }
  /* Links of the one lead out of every root; of the other, files have no content to be copied. Not mounted there: fine. */
  umount2("/proc", MNT_DETACH | UMOUNT_NOFOLLOW);
  umount2("/sys", MNT_DETACH | UMOUNT_NOFOLLOW);
  const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root >= 0 ? root : fail(failure, "open", "/");
}

static int enter(const struct view *view, struct failure *failure) {
  if (unshare(CLONE_FS) != 0) return fail(failure, "unshare", NULL);
  if (view->namespace_fd >= 0 && setns(view->namespace_fd, CLONE_NEWNS) != 0) return fail(failure, "setns", NULL);
  if (unshare(CLONE_NEWNS) != 0) return fail(failure, "unshare", NULL);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return fail(failure, "mount", "/");
  const int root = open_root(view, failure);
  if (root < 0) return -1;
  int result = bind_all(root, view, failure);
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
  if (result == 0 && view->read_only && mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only) != 0)
    result = fail(failure, "mount_setattr", NULL);
  if (result == 0 && (fchdir(root) != 0 || chroot(".") != 0)) result = fail(failure, "chroot", NULL);
  close_keeping_errno(root);
  return result;
}

/*
 * confineThreadToView(namespaceFd, flags, lower, upper, work, binds): flags 1: root_only, 2: read_only, 4: is_volatile. All or nothing, so that a thread that is ended on the
 * way leaves no descriptor. binds: source, part of it or empty, target, options, layers that are at `source` as one, an empty text (`r` recursive, `o` read-only), each with NUL.
 */
napi_value confine_thread_to_view(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  struct view view;
  int flags;
  if (!take_arguments(env, info, 6, arguments) || !take_int(env, arguments[0], &view.namespace_fd) ||
      !take_int(env, arguments[1], &flags) || !take_list(env, arguments[2], &view.lower) ||
      !take_text(env, arguments[3], &view.upper) || !take_text(env, arguments[4], &view.work) ||
      !take_list(env, arguments[5], &view.binds))
    return NULL;
  view.root_only = (flags & 1) != 0;
  view.read_only = (flags & 2) != 0;
  view.is_volatile = (flags & 4) != 0;
  if (gettid() == getpid()) return throw_system_error(env, EPERM, "unshare", NULL);
  struct failure failure = {0};
  if (enter(&view, &failure) != 0) return throw_system_error(env, errno, failure.syscall, failure.path);
  return make_undefined(env);
}
