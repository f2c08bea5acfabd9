#ifndef HAWSER_START_H
#define HAWSER_START_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

/**
 * What a `start` message asks for; every text lives in `frame`, NULL when absent. The keys are described in
 * docs/contracts/monitor-protocol.md.
 */
struct start {
  struct frame frame;
  const char *id;
  const char *dir;
  const char *rootfs;
  const char *upper;
  const char *work;
  /** Whose the root's files are seen to be (`owners_open`); both or neither. */
  const char *uids;
  const char *gids;
  /** Options of a tmpfs to share, or whose to join: another run directory's, as monitor `shm_monitor` has it. */
  const char *shm;
  const char *shm_from;
  int64_t shm_monitor;
  const char *runtime;
  const char *log;
  const char *exit_record;
  bool runtime_delete;
  bool durable;
  bool tty;
  bool has_stdin;
  bool stdin_once;
  int64_t log_max_size;
  int64_t log_max_files;
  /** How long the runtime's program may take; 0: for ever. */
  int64_t runtime_deadline_ms;
  int64_t height;
  int64_t width;
  int64_t attach;
};

enum { TERMINAL_MAX = 65535 };

/** Take over `frame` and check it. NULL, or what is wrong with it; the caller frees start->frame in both cases. */
const char *start_parse(struct start *start, struct frame frame);

/** Whether `text` may name a container or an exec session: 1 to 128 of [A-Za-z0-9_.-], the first a letter or digit. */
bool is_name(const char *text);

#endif
