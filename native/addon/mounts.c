/* File systems as a whole. mount(2) may wait for a server and syncfs(2) for a disk, so each call has a thread of its own. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

struct mounting {
  struct job job;
  struct text source, target, type, data;
  uint32_t flags;
};

static void mounting_run(struct job *job) {
  struct mounting *mounting = (struct mounting *)job;
  const char *data = mounting->data.data[0] == '\0' ? NULL : mounting->data.data;
  if (mount(mounting->source.data, mounting->target.data, mounting->type.data, mounting->flags, data) != 0)
    job_failed(job, "mount");
}

static void unmounting_run(struct job *job) {
  struct mounting *mounting = (struct mounting *)job;
  if (umount2(mounting->target.data, (int)mounting->flags) != 0) job_failed(job, "umount2");
}

static void syncing_run(struct job *job) {
  struct mounting *mounting = (struct mounting *)job;
  const int fd = open(mounting->target.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || syncfs(fd) != 0) job_failed(job, fd < 0 ? "open" : "syncfs");
  if (fd >= 0) close(fd);
}

static napi_value mounting_result(napi_env env, struct job *job) {
  (void)job;
  return make_undefined(env);
}

static void mounting_discard(struct job *job) {
  free(job);
}

static struct mounting *new_mounting(void (*run)(struct job *)) {
  struct mounting *mounting = calloc(1, sizeof *mounting);
  if (mounting != NULL) mounting->job = (struct job){.run = run, .result = mounting_result, .discard = mounting_discard};
  return mounting;
}

/* mountFileSystem(source, target, type, flags, data): Promise<void> */
napi_value mount_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  int flags;
  struct mounting *mounting = new_mounting(mounting_run);
  if (mounting == NULL) return throw_system_error(env, ENOMEM, "mount", NULL);
  if (!take_arguments(env, info, 5, arguments) || !take_text(env, arguments[0], &mounting->source) ||
      !take_text(env, arguments[1], &mounting->target) || !take_text(env, arguments[2], &mounting->type) ||
      !take_int(env, arguments[3], &flags) || !take_text(env, arguments[4], &mounting->data)) {
    free(mounting);
    return NULL;
  }
  mounting->flags = (uint32_t)flags;
  return run_job_for_promise(env, &mounting->job);
}

/* unmountFileSystem(target, flags): Promise<void> */
napi_value unmount_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int flags;
  struct mounting *mounting = new_mounting(unmounting_run);
  if (mounting == NULL) return throw_system_error(env, ENOMEM, "umount2", NULL);
  if (!take_arguments(env, info, 2, arguments) || !take_text(env, arguments[0], &mounting->target) ||
      !take_int(env, arguments[1], &flags)) {
    free(mounting);
    return NULL;
  }
  mounting->flags = (uint32_t)flags;
  return run_job_for_promise(env, &mounting->job);
}

/* syncFileSystem(folder): Promise<void> */
napi_value sync_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct mounting *mounting = new_mounting(syncing_run);
  if (mounting == NULL) return throw_system_error(env, ENOMEM, "syncfs", NULL);
  if (!take_arguments(env, info, 1, arguments) || !take_text(env, arguments[0], &mounting->target)) {
    free(mounting);
    return NULL;
  }
  return run_job_for_promise(env, &mounting->job);
}
