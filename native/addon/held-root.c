/* Roots of a thread that it can come back to: for work between two file systems, neither of which can name a file of the other. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* "hawser", "held roo" */
static const napi_type_tag held_tag = {0x6861777365720000, 0x68656c6420726f6f};

static void close_held(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void free_held(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  close_held(data);
  free(data);
}

/* holdRoot(): an object to give to `enterRoot` and `dropRoot`: the calling thread's root, and what is mounted there. */
napi_value hold_root(napi_env env, napi_callback_info info) {
  (void)info;
  if (gettid() == getpid()) return throw_system_error(env, EPERM, "chroot", NULL);
  int *fd = malloc(sizeof *fd);
  if (fd == NULL) return throw_system_error(env, ENOMEM, "malloc", NULL);
  *fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*fd < 0) {
    const int error = errno;
    free(fd);
    return throw_system_error(env, error, "open", "/");
  }
  return make_owner(env, fd, &held_tag, free_held);
}

static int *take_held(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  if (!take_arguments(env, info, 1, arguments)) return NULL;
  return take_owned(env, arguments[0], &held_tag, "a held root was wanted");
}

/* enterRoot(held): root and working folder of the calling thread, which has been confined. */
napi_value enter_root(napi_env env, napi_callback_info info) {
  const int *fd = take_held(env, info);
  if (fd == NULL) return NULL;
  if (gettid() == getpid()) return throw_system_error(env, EPERM, "chroot", NULL);
  if (fchdir(*fd) != 0) return throw_system_error(env, errno, "fchdir", NULL);
  if (chroot(".") != 0) return throw_system_error(env, errno, "chroot", NULL);
  return make_undefined(env);
}

/* dropRoot(held): it cannot be entered any more. */
napi_value drop_root(napi_env env, napi_callback_info info) {
  int *fd = take_held(env, info);
  if (fd == NULL) return NULL;
  close_held(fd);
  return make_undefined(env);
}
