#ifndef HAWSER_LOG_H
#define HAWSER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_stream { LOG_STDOUT, LOG_STDERR };

/**
 * A container's log file (docs/contracts/log-format.md). A disk that is full or broken loses entries, whole ones, and
 * never stops the container.
 */
struct log {
  /** NULL: no log; every call does nothing. */
  const char *path;
  int64_t max_size;
  int64_t max_files;
  int fd;
  int64_t size;
  bool failing;
  /** Entries on their way to the file; mapped, so that an idle log owns no page. */
  char *pending;
  size_t pending_length;
  /** The beginning of a line whose end has not come, for each stream. */
  struct partial {
    char *text;
    size_t length;
  } partial[2];
};

/** `path` must outlive the log; max_size 0: unbounded; max_files at least 1. The file is opened by the first entry or log_reopen. */
void log_init(struct log *log, const char *path, int64_t max_size, int64_t max_files);

/** Take what the container wrote. Complete lines are in the file when this returns. */
void log_write(struct log *log, enum log_stream stream, const char *text, size_t length);

/** Write the beginning of a line that will have no end. */
void log_flush(struct log *log, enum log_stream stream);

/** Open what the path names now, making it when absent. False with errno. */
bool log_reopen(struct log *log);

/**
 * Where the log ends now: a descriptor of its file, which pins the inode and is the caller's to close, and the file's size in
 * *end. Less than 0: there is no log, or it cannot be opened.
 */
int log_mark(struct log *log, int64_t *end);

/** Give back memory that an idle log does not need. */
void log_trim(struct log *log);

/** Flush both streams and close. */
void log_close(struct log *log);

#endif
