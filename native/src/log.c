#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "complain.h"
#include "file.h"
#include "frame.h"
#include "log-entry.h"

/** Written when this much waits; one more entry always fits behind it. */
enum { PENDING_FULL = 32 * 1024, PENDING_SIZE = PENDING_FULL + LOG_ENTRY_MAX };

void log_init(struct log *log, const char *path, int64_t max_size, int64_t max_files) {
  *log = (struct log){.path = path, .max_size = max_size, .max_files = max_files, .fd = -1};
  if (path == NULL) return;
  log->pending = mmap(NULL, PENDING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (log->pending != MAP_FAILED) return;
  complain("no log: out of memory", errno);
  log->path = NULL;
}

/** Complain once until it works again: a full disk must not fill another with complaints. */
static void trouble(struct log *log, const char *what) {
  if (!log->failing) complain(what, errno);
  log->failing = true;
}

bool log_reopen(struct log *log) {
  if (log->path == NULL) return true;
  const int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    trouble(log, "cannot open the log");
    errno = error;
    return false;
  }
  if (log->fd >= 0) close(log->fd);
  log->fd = fd;
  log->size = status.st_size;
  return true;
}

static char *numbered(const char *path, int64_t number) {
  char text[NUMBER_SIZE];
  return number == 0 ? copy_text(path) : join_text(path, ".", number_text(number, text), NULL);
}

static void rotate(struct log *log) {
  if (log->max_files == 1) unlink(log->path);
  for (int64_t number = log->max_files - 1; number > 0; number--) {
    char *from = numbered(log->path, number - 1);
    char *to = numbered(log->path, number);
    if (rename(from, to) != 0 && errno != ENOENT) trouble(log, "cannot rotate the log");
    free(from);
    free(to);
  }
  log_reopen(log);
}

static void write_pending(struct log *log) {
  const size_t length = log->pending_length;
  log->pending_length = 0;
  if (length == 0 || (log->fd < 0 && !log_reopen(log))) return;
  size_t written = 0;
  while (written < length) {
    const ssize_t got = write(log->fd, log->pending + written, length - written);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      trouble(log, "cannot write the log");
      // No half entry stays, so that every line of the file is one.
      if (written > 0 && ftruncate(log->fd, log->size) != 0) trouble(log, "cannot truncate the log");
      return;
    }
    written += (size_t)got;
  }
  log->failing = false;
  log->size += (int64_t)length;
}

static void add_entry(struct log *log, enum log_stream stream, const char *text, size_t length) {
  if (length == 0) return;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const char *name = stream == LOG_STDOUT ? "stdout" : "stderr";
  char *entry = log->pending + log->pending_length;
  const size_t size = log_entry_format(entry, text, length, name, now);
  const int64_t before = log->size + (int64_t)log->pending_length;
  if (log->max_size > 0 && log->fd >= 0 && before > 0 && before + (int64_t)size > log->max_size) {
    write_pending(log);
    rotate(log);
    memmove(log->pending, entry, size);
  }
  log->pending_length += size;
  if (log->pending_length >= PENDING_FULL) write_pending(log);
}

/** Keep text whose line has not ended; a full piece becomes an entry, but for the beginning of a character at its end. */
static void keep(struct log *log, enum log_stream stream, const char *text, size_t length) {
  struct partial *partial = &log->partial[stream];
  if (partial->text == NULL) partial->text = allocate(LOG_TEXT_MAX);
  while (length > 0) {
    const size_t room = LOG_TEXT_MAX - partial->length;
    const size_t taken = length < room ? length : room;
    memcpy(partial->text + partial->length, text, taken);
    partial->length += taken;
    text += taken;
    length -= taken;
    if (partial->length < LOG_TEXT_MAX) return;
    const size_t rest = utf8_unfinished(partial->text, LOG_TEXT_MAX);
    add_entry(log, stream, partial->text, LOG_TEXT_MAX - rest);
    memmove(partial->text, partial->text + LOG_TEXT_MAX - rest, rest);
    partial->length = rest;
  }
}

void log_write(struct log *log, enum log_stream stream, const char *text, size_t length) {
  if (log->path == NULL) return;
  if (log->fd < 0) log_reopen(log); // before the first entry: rotation must know how much is there already
  struct partial *partial = &log->partial[stream];
  while (length > 0) {
    const char *newline = memchr(text, '\n', length);
    const size_t line = newline == NULL ? length : (size_t)(newline - text) + 1;
    if (newline != NULL && partial->length == 0 && line <= LOG_TEXT_MAX) {
      add_entry(log, stream, text, line);
    } else {
      keep(log, stream, text, line);
      if (newline != NULL) {
        add_entry(log, stream, partial->text, partial->length);
        partial->length = 0;
      }
    }
    text += line;
    length -= line;
  }
  write_pending(log);
}

void log_flush(struct log *log, enum log_stream stream) {
  if (log->path == NULL) return;
  struct partial *partial = &log->partial[stream];
  add_entry(log, stream, partial->text, partial->length);
  partial->length = 0;
  write_pending(log);
}

int log_mark(struct log *log, int64_t *end) {
  if (log->path == NULL || (log->fd < 0 && !log_reopen(log))) return -1;
  *end = log->size;
  return fcntl(log->fd, F_DUPFD_CLOEXEC, 3);
}

void log_trim(struct log *log) {
  if (log->path == NULL) return;
  madvise(log->pending, PENDING_SIZE, MADV_DONTNEED);
  for (int stream = 0; stream < 2; stream++) {
    if (log->partial[stream].length > 0) continue;
    free(log->partial[stream].text);
    log->partial[stream].text = NULL;
  }
}

void log_close(struct log *log) {
  if (log->path == NULL) return;
  log_flush(log, LOG_STDOUT);
  log_flush(log, LOG_STDERR);
  log_trim(log);
  munmap(log->pending, PENDING_SIZE);
  if (log->fd >= 0) close(log->fd);
  log->fd = -1;
  log->path = NULL;
}
