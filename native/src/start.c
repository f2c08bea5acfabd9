#include "start.h"

#include <string.h>

bool is_name(const char *text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  const size_t length = strlen(text);
  return length >= 1 && length <= 128 && strspn(text, letters) == length && strchr("_.-", text[0]) == NULL;
}

static bool is_path(const char *text) {
  return text[0] == '/' && strlen(text) < 4096;
}

/** NULL when all values of `key` are absolute paths. */
static const char *bad_path(const struct frame *frame, const char *key) {
  for (const char *value = NULL; (value = frame_next(frame, key, value)) != NULL;) {
    if (!is_path(value)) return "a path that is not absolute";
  }
  return NULL;
}

/** Values "<n>:<value>" say something of one of the binds; the first three keys have absolute paths. */
static const char *bad_bind_option(const struct frame *frame) {
  static const char *const keys[] = {"bind-layer",  "bind-upper", "bind-work", "bind-option",
                                     "bind-within", "bind-uids",  "bind-gids"};
  for (size_t index = 0; index < sizeof keys / sizeof *keys; index++) {
    for (const char *value = NULL; (value = frame_next(frame, keys[index], value)) != NULL;) {
      const size_t digits = strspn(value, "0123456789");
      if (digits == 0 || digits > 6 || value[digits] != ':') return "an option of a bind without its number";
      if (index < 3 && !is_path(value + digits + 1)) return "a path that is not absolute";
    }
  }
  return NULL;
}

/** A cgroup is emptied by force and removed, so it has to look like this container's own. */
static const char *bad_cgroup(const struct start *start) {
  for (const char *path = NULL; (path = frame_next(&start->frame, "cgroup", path)) != NULL;) {
    const char *last = strrchr(path, '/');
    if (last == NULL || strstr(last, start->id) == NULL) return "a cgroup whose name does not have the container's id";
  }
  return NULL;
}

const char *start_parse(struct start *start, struct frame frame) {
  static const char *const paths[] = {"dir",     "rootfs", "lower",       "upper", "work",
                                      "runtime", "log",    "exit-record", "cgroup", "bind",
                                      "shm-from"};
  *start = (struct start){
      .frame = frame,
      .id = frame_get(&frame, "id"),
      .dir = frame_get(&frame, "dir"),
      .rootfs = frame_get(&frame, "rootfs"),
      .upper = frame_get(&frame, "upper"),
      .work = frame_get(&frame, "work"),
      .uids = frame_get(&frame, "uids"),
      .gids = frame_get(&frame, "gids"),
      .shm = frame_get(&frame, "shm"),
      .shm_from = frame_get(&frame, "shm-from"),
      .runtime = frame_get(&frame, "runtime"),
      .log = frame_get(&frame, "log"),
      .exit_record = frame_get(&frame, "exit-record"),
      .runtime_delete = frame_flag(&frame, "runtime-delete"),
      .durable = frame_flag(&frame, "durable"),
      .tty = frame_flag(&frame, "tty"),
      .has_stdin = frame_flag(&frame, "stdin"),
      .stdin_once = frame_flag(&frame, "stdin-once"),
      .log_max_files = 1,
  };
  const char *protocol = frame_get(&frame, "protocol");
  if (protocol == NULL || strcmp(protocol, "1") != 0) return "protocol is not 1";
  if (start->id == NULL || !is_name(start->id)) return "id is missing or no name";
  for (size_t index = 0; index < sizeof paths / sizeof *paths; index++) {
    const char *problem = bad_path(&frame, paths[index]);
    if (problem != NULL) return problem;
  }
  const char *bad_option = bad_bind_option(&frame);
  if (bad_option != NULL) return bad_option;
  if (start->dir == NULL) return "dir is missing";
  if (start->runtime == NULL) return "runtime is missing";
  if (frame_get(&frame, "lower") != NULL && start->rootfs == NULL) return "rootfs is missing";
  if ((start->upper == NULL) != (start->work == NULL)) return "upper and work come together";
  if ((start->uids == NULL) != (start->gids == NULL)) return "uids and gids come together";
  if (!frame_number(&frame, "shm-monitor", INT32_MAX, &start->shm_monitor)) return "shm-monitor is no process";
  if ((start->shm_from == NULL) != (start->shm_monitor == 0)) return "shm-from and shm-monitor come together";
  if (!frame_number(&frame, "log-max-size", INT64_MAX, &start->log_max_size)) return "log-max-size is no size";
  if (!frame_number(&frame, "log-max-files", 1000, &start->log_max_files)) return "log-max-files is not 1 to 1000";
  if (start->log_max_files == 0) start->log_max_files = 1;
  if (!frame_number(&frame, "runtime-deadline", INT32_MAX, &start->runtime_deadline_ms)) return "runtime-deadline is no time";
  if (!frame_number(&frame, "height", TERMINAL_MAX, &start->height)) return "height is no terminal's";
  if (!frame_number(&frame, "width", TERMINAL_MAX, &start->width)) return "width is no terminal's";
  if (!frame_number(&frame, "attach", 1000, &start->attach)) return "attach is not 0 to 1000";
  return bad_cgroup(start);
}
