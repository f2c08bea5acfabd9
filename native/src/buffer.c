#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#include "complain.h"

static void out_of_memory(void) {
  complain("out of memory", 0);
  abort();
}

static void grow(struct buffer *buffer, size_t needed) {
  if (buffer->start > 0) {
    memmove(buffer->data, buffer_head(buffer), buffer->length);
    buffer->start = 0;
  }
  if (needed <= buffer->capacity) return;
  size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
  while (capacity < needed) capacity *= 2;
  char *data = realloc(buffer->data, capacity);
  if (data == NULL) out_of_memory();
  buffer->data = data;
  buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
  if (length == 0) return;
  if (buffer->start + buffer->length + length > buffer->capacity) grow(buffer, buffer->length + length);
  memcpy(buffer_head(buffer) + buffer->length, bytes, length);
  buffer->length += length;
}

void buffer_consume(struct buffer *buffer, size_t length) {
  buffer->start += length;
  buffer->length -= length;
  if (buffer->length == 0) buffer_free(buffer);
}

void buffer_free(struct buffer *buffer) {
  free(buffer->data);
  *buffer = (struct buffer){0};
}

void *allocate(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) out_of_memory();
  return memory;
}

char *copy_text(const char *text) {
  char *copy = strdup(text);
  if (copy == NULL) out_of_memory();
  return copy;
}
