/* Members of a gzip archive (RFC 1952): heads and sums, a byte at a time; the data between them is deflate.c's. */
#include "gzip.h"

#include <zlib.h>

static void begin_member(struct gzip *g) {
  g->part = gzip_head;
  g->flags = 0;
  g->extra_length = 0;
  g->done = 0;
  g->number = 0;
  g->head_sum = 0;
  g->data_sum = 0;
  g->data_size = 0;
  deflate_begin(&g->deflate);
}

void gzip_begin(struct gzip *g, bool checks) {
  g->checks = checks;
  begin_member(g);
}

/* To the part behind this one; most are there if a flag says so. */
static void next_part(struct gzip *g) {
  static const unsigned flag_of[] = {[gzip_extra_length] = 4, [gzip_extra] = 4, [gzip_name] = 8, [gzip_comment] = 16, [gzip_head_sum] = 2};
  do g->part++;
  while (g->part < gzip_data && ((g->flags & flag_of[g->part]) == 0 || (g->part == gzip_extra && g->extra_length == 0)));
  g->done = 0;
  g->number = 0;
}

/* RFC 1952, 2.3.1. */
static const char *read_fixed_head(struct gzip *g, unsigned char byte) {
  if ((g->done == 1 && byte != 0x1f) || (g->done == 2 && byte != 0x8b)) return "incorrect header check";
  if (g->done == 3 && byte != 8) return "unknown compression method";
  if (g->done == 4 && (byte & 0xe0) != 0) return "unknown header flags set";
  if (g->done == 4) g->flags = byte;
  if (g->done == 10) next_part(g);
  return NULL;
}

/* A byte of any part but the data. */
static const char *read_byte(struct gzip *g, unsigned char byte, bool *ended) {
  if (g->done < sizeof g->number) g->number |= (uint64_t)byte << 8 * g->done;
  g->done++;
  if (g->checks && g->part < gzip_head_sum) g->head_sum = (uint32_t)crc32(g->head_sum, &byte, 1);
  switch (g->part) {
    case gzip_head:
      return read_fixed_head(g, byte);
    case gzip_extra_length:
      if (g->done < 2) break;
      g->extra_length = (unsigned)g->number;
      next_part(g);
      break;
    case gzip_extra:
      if (g->done == g->extra_length) next_part(g);
      break;
    case gzip_name:
    case gzip_comment:
      if (byte == 0) next_part(g);
      break;
    case gzip_head_sum:
      if (g->done < 2) break;
      if (g->checks && g->number != (g->head_sum & 0xffff)) return "header crc mismatch";
      next_part(g);
      break;
    case gzip_sums:
      if (g->checks && g->done == 4 && g->number != g->data_sum) return "incorrect data check";
      if (g->done < 8) break;
      if (g->checks && g->number >> 32 != g->data_size) return "incorrect length check";
      *ended = true;
      begin_member(g);
      break;
    case gzip_data:
      break;
  }
  return NULL;
}

static const char *read_data(struct gzip *g, struct deflate_buffers *b) {
  const uint8_t *const begin = b->out;
  const char *problem = deflate_expand(&g->deflate, b);
  const size_t written = (size_t)(b->out - begin);
  if (g->checks && written > 0) g->data_sum = (uint32_t)crc32_z(g->data_sum, begin, written);
  g->data_size += (uint32_t)written;
  if (g->deflate.state == at_end) next_part(g);
  return problem;
}

const char *gzip_expand(struct gzip *g, struct deflate_buffers *b, bool *ended) {
  const char *problem = NULL;
  *ended = false;
  while (problem == NULL && !*ended) {
    if (g->part == gzip_data) {
      problem = read_data(g, b);
      if (g->part == gzip_data) break;
    } else {
      if (b->in == b->in_end) break;
      problem = read_byte(g, *b->in++, ended);
    }
  }
  return problem;
}
