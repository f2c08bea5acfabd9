#include "oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "complain.h"
#include "file.h"

/** Opens the file of that name in whichever of the cgroups has it, or -1. */
static int open_control(const struct frame *start, const char *file, char **path) {
  for (const char *cgroup = NULL; (cgroup = frame_next(start, "cgroup", cgroup)) != NULL;) {
    char *name = join_text(cgroup, "/", file, NULL);
    const int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && path != NULL) *path = name;
    else free(name);
    if (fd >= 0) return fd;
  }
  return -1;
}

/** The value of the line "oom_kill <n>" of an open control file, which it closes; 0 when there is none. */
static long long read_counter(int fd) {
  char text[256];
  const ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  text[got < 0 ? 0 : got] = '\0';
  static const char key[] = "oom_kill ";
  const char *line = strncmp(text, key, sizeof key - 1) == 0 ? text : strstr(text, "\noom_kill ");
  if (line == NULL) return 0;
  return strtoll(strchr(line, ' '), NULL, 10);
}

bool oom_check(struct oom *oom) {
  int fd = open_control(oom->start, "memory.oom_control", NULL);
  if (fd < 0) fd = open_control(oom->start, "memory.events", NULL);
  const long long kills = fd < 0 ? 0 : read_counter(fd);
  if (kills > oom->seen) {
    oom->seen = kills;
    oom->on_kill(oom);
  }
  return oom->seen > 0;
}

static void ready(struct source *source, uint32_t events) {
  struct oom *oom = OWNER(source, struct oom, source);
  (void)events;
  char notes[512];
  const ssize_t got = read(source->fd, notes, sizeof notes);
  if (got < 0 && errno == EAGAIN) return;
  oom_check(oom);
}

/** cgroup v1: "<eventfd> <descriptor of memory.oom_control>" to cgroup.event_control. */
static int watch_v1(const struct frame *start) {
  char *path = NULL;
  const int control = open_control(start, "memory.oom_control", &path);
  if (control < 0) return -1;
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  *strrchr(path, '/') = '\0';
  char *registry = join_text(path, "/cgroup.event_control", NULL);
  const int fd = open(registry, O_WRONLY | O_CLOEXEC);
  char numbers[2][NUMBER_SIZE];
  char *order = join_text(number_text(event, numbers[0]), " ", number_text(control, numbers[1]), NULL);
  if (event >= 0 && (fd < 0 || write(fd, order, strlen(order)) < 0)) {
    complain("cannot watch for lack of memory", errno);
    close(event);
    event = -1;
  }
  if (fd >= 0) close(fd);
  close(control);
  free(order);
  free(registry);
  free(path);
  return event;
}

static int watch_v2(const struct frame *start) {
  char *path = NULL;
  const int events = open_control(start, "memory.events", &path);
  if (events < 0) return -1;
  close(events);
  int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch >= 0 && inotify_add_watch(watch, path, IN_MODIFY) < 0) {
    complain("cannot watch for lack of memory", errno);
    close(watch);
    watch = -1;
  }
  free(path);
  return watch;
}

void oom_init(struct oom *oom, struct loop *loop, const struct frame *start, void (*on_kill)(struct oom *oom)) {
  *oom = (struct oom){.loop = loop, .start = start, .source = {.fd = -1, .ready = ready}, .on_kill = on_kill};
}

void oom_watch(struct oom *oom) {
  oom->source.fd = watch_v1(oom->start);
  if (oom->source.fd < 0) oom->source.fd = watch_v2(oom->start);
  if (oom->source.fd < 0) return;
  loop_watch(oom->loop, &oom->source, EPOLLIN);
  oom_check(oom); // what came before the watch
}

void oom_close(struct oom *oom) {
  loop_close(oom->loop, &oom->source);
}
