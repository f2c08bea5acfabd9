/* What node:fs cannot say about files. All of it synchronous, so that a worker's chroot holds for it; links are not followed. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* confineThread(root): root and working folder of the calling thread alone. */
napi_value confine_thread(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct text root;
  if (!take_arguments(env, info, 1, arguments) || !take_text(env, arguments[0], &root)) return NULL;
  if (gettid() == getpid()) return throw_system_error(env, EPERM, "unshare", root.data);
  if (unshare(CLONE_FS) != 0) return throw_system_error(env, errno, "unshare", root.data);
  if (chroot(root.data) != 0) return throw_system_error(env, errno, "chroot", root.data);
  if (chdir("/") != 0) return throw_system_error(env, errno, "chdir", root.data);
  return make_undefined(env);
}

/* Where a thread was before it was confined: where all of the process are that share their root. */
static struct {
  pthread_once_t once;
  int root, mounts;
} home = {.once = PTHREAD_ONCE_INIT, .root = -1, .mounts = -1};

static void find_home(void) {
  home.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  home.mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

void remember_home(void) {
  pthread_once(&home.once, find_home);
}

/* releaseThread(): root, working folder and mounts of the calling thread, which was confined, are the process' again. */
napi_value release_thread(napi_env env, napi_callback_info info) {
  (void)info;
  if (gettid() == getpid()) return throw_system_error(env, EPERM, "setns", NULL);
  if (setns(home.mounts, CLONE_NEWNS) != 0) return throw_system_error(env, errno, "setns", NULL);
  if (fchdir(home.root) != 0) return throw_system_error(env, errno, "fchdir", NULL);
  if (chroot(".") != 0) return throw_system_error(env, errno, "chroot", NULL);
  return make_undefined(env);
}

/* makeNode(path, mode, rdev) */
napi_value make_node(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct text path;
  int mode;
  double rdev;
  if (!take_arguments(env, info, 3, arguments) || !take_text(env, arguments[0], &path) ||
      !take_int(env, arguments[1], &mode) || !take_double(env, arguments[2], &rdev))
    return NULL;
  if (!(rdev >= 0 && rdev < 9007199254740992.0)) return throw_system_error(env, EINVAL, "mknod", path.data);
  if (mknod(path.data, (mode_t)mode, (dev_t)rdev) != 0) return throw_system_error(env, errno, "mknod", path.data);
  return make_undefined(env);
}

/* exchangeFiles(one, other) */
napi_value exchange_files(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct text one, other;
  if (!take_arguments(env, info, 2, arguments) || !take_text(env, arguments[0], &one) ||
      !take_text(env, arguments[1], &other))
    return NULL;
  if (renameat2(AT_FDCWD, one.data, AT_FDCWD, other.data, RENAME_EXCHANGE) != 0)
    return throw_system_error(env, errno, "renameat2", other.data);
  return make_undefined(env);
}

/* setXattr(path, name, value) */
napi_value set_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct text path, name;
  struct bytes value;
  if (!take_arguments(env, info, 3, arguments) || !take_text(env, arguments[0], &path) ||
      !take_text(env, arguments[1], &name) || !take_bytes(env, arguments[2], &value))
    return NULL;
  if (lsetxattr(path.data, name.data, value.data, value.size, 0) != 0)
    return throw_system_error(env, errno, "lsetxattr", path.data);
  return make_undefined(env);
}

/* Calls `ask` with growing room until the answer fits (it may grow in between). The answer is owned by the caller. */
static ssize_t ask_xattr(const char *path, const char *name, char **out) {
  for (;;) {
    ssize_t size = name == NULL ? llistxattr(path, NULL, 0) : lgetxattr(path, name, NULL, 0);
    if (size < 0) return -1;
    char *room = malloc((size_t)size + 1);
    if (room == NULL) {
      errno = ENOMEM;
      return -1;
    }
    size = name == NULL ? llistxattr(path, room, (size_t)size) : lgetxattr(path, name, room, (size_t)size);
    if (size >= 0) {
      *out = room;
      return size;
    }
    int error = errno;
    free(room);
    errno = error;
    if (error != ERANGE) return -1;
  }
}

/* getXattr(path, name): Uint8Array | undefined */
napi_value get_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct text path, name;
  char *data = NULL;
  if (!take_arguments(env, info, 2, arguments) || !take_text(env, arguments[0], &path) ||
      !take_text(env, arguments[1], &name))
    return NULL;
  ssize_t size = ask_xattr(path.data, name.data, &data);
  if (size < 0)
    return errno == ENODATA ? make_undefined(env) : throw_system_error(env, errno, "lgetxattr", path.data);
  napi_value value = make_bytes(env, &(struct bytes){.data = (unsigned char *)data, .size = (size_t)size});
  free(data);
  return value;
}

/* listXattr(path): string[] */
napi_value list_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[1], names;
  struct text path;
  char *data = NULL;
  if (!take_arguments(env, info, 1, arguments) || !take_text(env, arguments[0], &path)) return NULL;
  ssize_t size = ask_xattr(path.data, NULL, &data);
  if (size < 0) return throw_system_error(env, errno, "llistxattr", path.data);
  data[size] = '\0';
  napi_create_array(env, &names);
  uint32_t count = 0;
  for (const char *name = data; name < data + size; name += strlen(name) + 1) {
    napi_value value = NULL;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, names, count++, value);
  }
  free(data);
  return names;
}

static struct timespec timespec_of(int64_t ns) {
  const int64_t second = 1000000000;
  int64_t seconds = ns / second, rest = ns % second;
  if (rest < 0) {
    seconds--;
    rest += second;
  }
  return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

/* setTimesNs(path, atimeNs, mtimeNs) */
napi_value set_times_ns(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct text path;
  int64_t atime_ns, mtime_ns;
  if (!take_arguments(env, info, 3, arguments) || !take_text(env, arguments[0], &path) ||
      !take_int64(env, arguments[1], &atime_ns) || !take_int64(env, arguments[2], &mtime_ns))
    return NULL;
  const struct timespec times[2] = {timespec_of(atime_ns), timespec_of(mtime_ns)};
  if (utimensat(AT_FDCWD, path.data, times, AT_SYMLINK_NOFOLLOW) != 0)
    return throw_system_error(env, errno, "utimensat", path.data);
  return make_undefined(env);
}

struct attributes {
  double uid, gid; /* -1: as they are */
  int mode;        /* likewise */
  int64_t mtime_ns;
};

static bool take_attributes(napi_env env, const napi_value *arguments, struct attributes *out) {
  return take_double(env, arguments[0], &out->uid) && take_double(env, arguments[1], &out->gid) &&
         take_int(env, arguments[2], &out->mode) && take_int64(env, arguments[3], &out->mtime_ns);
}

/* UINT_MAX is nobody's: to the kernel it means "as it is". */
static bool is_id(double value) {
  return value >= 0 && value < UINT_MAX;
}

/* NULL, or the call that failed. In this order: a change of owner takes bits of the mode away. */
static const char *set_attributes(int fd, const struct attributes *to) {
  if (to->uid != -1 || to->gid != -1) {
    errno = EINVAL;
    if (!is_id(to->uid) || !is_id(to->gid) || fchown(fd, (uid_t)to->uid, (gid_t)to->gid) != 0) return "fchown";
  }
  if (to->mode >= 0 && fchmod(fd, (mode_t)to->mode) != 0) return "fchmod";
  const struct timespec times[2] = {timespec_of(to->mtime_ns), timespec_of(to->mtime_ns)};
  return futimens(fd, times) != 0 ? "futimens" : NULL;
}

static const char *write_all(int fd, const struct bytes *bytes) {
  for (size_t done = 0; done < bytes->size;) {
    const ssize_t size = write(fd, bytes->data + done, bytes->size - done);
    if (size < 0 && errno != EINTR) return "write";
    if (size > 0) done += (size_t)size;
  }
  return NULL;
}

/* makeFile(path, bytes, openMode, uid, gid, mode, mtimeNs): a file that was not there */
napi_value make_file(napi_env env, napi_callback_info info) {
  napi_value arguments[7];
  struct text path;
  struct bytes bytes;
  struct attributes attributes;
  int mode;
  if (!take_arguments(env, info, 7, arguments) || !take_text(env, arguments[0], &path) ||
      !take_bytes(env, arguments[1], &bytes) || !take_int(env, arguments[2], &mode) ||
      !take_attributes(env, arguments + 3, &attributes))
    return NULL;
  const int fd = open(path.data, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
  if (fd < 0) return throw_system_error(env, errno, "open", path.data);
  const char *failed = write_all(fd, &bytes);
  if (failed == NULL) failed = set_attributes(fd, &attributes);
  const int error = errno;
  if (close(fd) != 0 && failed == NULL) return throw_system_error(env, errno, "close", path.data);
  return failed != NULL ? throw_system_error(env, error, failed, path.data) : make_undefined(env);
}

/* setFileAttributes(fd, uid, gid, mode, mtimeNs) */
napi_value set_file_attributes(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct attributes attributes;
  int fd;
  if (!take_arguments(env, info, 5, arguments) || !take_int(env, arguments[0], &fd) ||
      !take_attributes(env, arguments + 1, &attributes))
    return NULL;
  const char *failed = set_attributes(fd, &attributes);
  return failed != NULL ? throw_system_error(env, errno, failed, NULL) : make_undefined(env);
}

/* openInRoot(dirFd, path, flags, mode): number */
napi_value open_in_root(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  struct text path;
  int folder, flags, mode;
  if (!take_arguments(env, info, 4, arguments) || !take_int(env, arguments[0], &folder) ||
      !take_text(env, arguments[1], &path) || !take_int(env, arguments[2], &flags) ||
      !take_int(env, arguments[3], &mode))
    return NULL;
  const struct open_how how = {
      .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
      /* openat2 refuses a mode where nothing is made. */
      .mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? (uint64_t)(unsigned)mode : 0,
      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };
  /* EAGAIN: something was renamed while ".." was resolved, and the kernel could not be sure. */
  long fd;
  int attempts = 100;
  do fd = syscall(SYS_openat2, folder, path.data, &how, sizeof how);
  while (fd < 0 && (errno == EINTR || (errno == EAGAIN && --attempts > 0)));
  return fd < 0 ? throw_system_error(env, errno, "openat2", path.data) : make_int(env, (int)fd);
}
