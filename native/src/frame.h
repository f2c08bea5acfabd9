#ifndef HAWSER_FRAME_H
#define HAWSER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/*
 * The messages of docs/contracts/monitor-protocol.md:
 *
 *   frame  = length fields          length: 32 bit, big endian, of the fields; at most FRAME_MAX
 *   fields = { key "=" value NUL }  the first key is "kind"
 */

enum { FRAME_MAX = 1 << 20, FRAME_HEADER = 4 };

/** A frame that was received whole and found well formed. */
struct frame {
  char *fields;
  size_t length;
};

void frame_free(struct frame *frame);

/** The first value of `key`, or NULL; lives as long as the frame. */
const char *frame_get(const struct frame *frame, const char *key);

/** The value of `key` that comes after `previous` (NULL: the first), or NULL. */
const char *frame_next(const struct frame *frame, const char *key, const char *previous);

/**
 * As frame_next, of values "<number>:<value>" those with this number, without it; a number below 0 is none: values as they
 * are.
 */
const char *frame_next_of(const struct frame *frame, const char *key, int64_t number, const char *previous);

bool frame_is(const struct frame *frame, const char *kind);

/** Whether `key` is there with the value 1. */
bool frame_flag(const struct frame *frame, const char *key);

/** The decimal value of `key` in *value, which stays as it is when the key is absent; false when it is no number or beyond `most`. */
bool frame_number(const struct frame *frame, const char *key, int64_t most, int64_t *value);

enum frame_status { FRAME_AGAIN, FRAME_READY, FRAME_END, FRAME_BROKEN };

/**
 * A frame on its way in. All zero, with `passed` -1, is the start of one. It takes no byte beyond the frame from the
 * socket, so that what follows can be a stream.
 */
struct frame_reader {
  unsigned char header[FRAME_HEADER];
  size_t got;
  struct frame frame;
  /** The descriptor that came with the frame's first byte, or -1; the caller takes it over. */
  int passed;
};

/**
 * Read what there is without waiting. FRAME_READY: `reader->frame` is complete, the caller owns it and resets the reader
 * with frame_reader_reset. FRAME_END: the peer closed between frames. FRAME_BROKEN: anything else; nothing more can be read.
 */
enum frame_status frame_read(struct frame_reader *reader, int fd);

/** As before the first byte; frees a half frame and closes a descriptor that nobody took. */
void frame_reader_reset(struct frame_reader *reader);

/** A frame being made. All zero before message_open. */
struct message {
  struct buffer bytes;
};

void message_open(struct message *message, const char *kind);
void message_add(struct message *message, const char *key, const char *value);
void message_add_number(struct message *message, const char *key, int64_t value);

/** Fill in the length; `bytes` is then what goes over the wire. */
void message_close(struct message *message);

/** Close, send without waiting, free: for small answers on a connection that nothing else is queued on. */
void message_send(struct message *message, int fd);

/** Room for any 64 bit number in decimal and a NUL. */
enum { NUMBER_SIZE = 21 };

/** Decimal text of `value`, in `out`. */
const char *number_text(int64_t value, char out[NUMBER_SIZE]);

/** True and *value when `text` is a decimal number from 0 to `most` and nothing else. */
bool parse_number(const char *text, int64_t most, int64_t *value);

#endif
