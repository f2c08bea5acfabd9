#ifndef HAWSER_BUFFER_H
#define HAWSER_BUFFER_H

#include <stddef.h>

/**
 * A queue of bytes that grows at its end and is taken from its front. All zero is an empty one; an empty one owns no
 * memory. Who fills it bounds it.
 */
struct buffer {
  char *data;
  size_t start;
  size_t length;
  size_t capacity;
};

/** Ends the program when there is no memory: nothing here could go on without. */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/** The first of its bytes; invalid after the next append. */
static inline char *buffer_head(const struct buffer *buffer) {
  return buffer->data + buffer->start;
}

/** Drop the first `length` bytes, of which there must be so many. */
void buffer_consume(struct buffer *buffer, size_t length);

void buffer_free(struct buffer *buffer);

/** Zeroed memory, or the end of the program. */
void *allocate(size_t size);

/** A copy of `text`, or the end of the program. */
char *copy_text(const char *text);

#endif
