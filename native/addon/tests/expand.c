/*
 * Expands archives as the addon does, in pieces that have memory of their own, so that a sanitizer sees every step beyond one.
 * Standard input has, for each, in the machine's byte order: u32 bytes of input at once, u32 bytes of output at once, u32 size, the
 * archive. Standard output: u32 0 (more is wanted), 1 (a member has ended) or 2 (damaged), u32 size, what was expanded or what is wrong.
 */
#include "../gzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *own(size_t size) {
  void *memory = malloc(size);
  if (memory == NULL && size > 0) abort();
  return memory;
}

static void answer(uint32_t kind, const void *bytes, size_t size) {
  const uint32_t head[2] = {kind, (uint32_t)size};
  if (fwrite(head, sizeof head, 1, stdout) != 1 || fwrite(bytes, 1, size, stdout) != size) abort();
}

static void expand(const unsigned char *archive, size_t size, size_t in_step, size_t out_step) {
  struct gzip *gzip = own(sizeof *gzip);
  size_t read = 0, expanded = 0, capacity = out_step;
  unsigned char *whole = own(capacity);
  const char *problem = NULL;
  bool ended = false;
  gzip_begin(gzip, true);
  for (bool is_full = false; problem == NULL && !ended && (read < size || is_full);) {
    const size_t in_size = size - read < in_step ? size - read : in_step;
    unsigned char *in = own(in_size), *out = own(out_step);
    if (in_size > 0) memcpy(in, archive + read, in_size);
    struct deflate_buffers buffers = {in, in + in_size, out, out + out_step};
    problem = gzip_expand(gzip, &buffers, &ended);
    const size_t written = (size_t)(buffers.out - out);
    if (expanded + written > capacity) whole = realloc(whole, capacity = 2 * capacity + written);
    if (written > 0) memcpy(whole + expanded, out, written);
    expanded += written;
    read += (size_t)(buffers.in - in);
    is_full = written == out_step;
    free(in);
    free(out);
  }
  if (problem != NULL) answer(2, problem, strlen(problem));
  else answer(ended, whole, expanded);
  free(whole);
  free(gzip);
}

int main(void) {
  uint32_t head[3];
  while (fread(head, sizeof head, 1, stdin) == 1) {
    unsigned char *archive = own(head[2]);
    if (fread(archive, 1, head[2], stdin) != head[2]) abort();
    expand(archive, head[2], head[0], head[1]);
    free(archive);
  }
  return 0;
}
