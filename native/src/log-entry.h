#ifndef HAWSER_LOG_ENTRY_H
#define HAWSER_LOG_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/** The longest text of one entry, in bytes of the container. */
enum { LOG_TEXT_MAX = 16 * 1024 };

/** The longest entry: every byte as six, and what stands around. */
enum { LOG_ENTRY_MAX = LOG_TEXT_MAX * 6 + 128 };

/**
 * Write one entry of docs/contracts/log-format.md to `out`, which has room for LOG_ENTRY_MAX, and return its length.
 * `text` is at most LOG_TEXT_MAX bytes of anything; `time` from year 1970 to 9999.
 */
size_t log_entry_format(char *out, const char *text, size_t length, const char *stream, struct timespec time);

/** How many bytes at the end of `text` are the beginning of a UTF-8 character whose rest may follow; 0 to 3. */
size_t utf8_unfinished(const char *text, size_t length);

#endif
