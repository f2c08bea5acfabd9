/* gzip (RFC 1952): members, one behind the other, each a DEFLATE stream with a head and sums. */
#ifndef HAWSER_GZIP_H
#define HAWSER_GZIP_H

#include "deflate.h"

struct gzip {
  /* In the order in which they come. */
  enum { gzip_head, gzip_extra_length, gzip_extra, gzip_name, gzip_comment, gzip_head_sum, gzip_data, gzip_sums } part;
  bool checks; /* sums are compared */
  unsigned flags, extra_length;
  unsigned done;     /* bytes of the part that were read */
  uint64_t number;   /* that they make */
  uint32_t head_sum; /* CRC-32 so far */
  uint32_t data_sum, data_size;
  struct deflate deflate;
};

/* `checks`: whether the sums of head and data are compared. */
void gzip_begin(struct gzip *g, bool checks);
/*
 * Goes on until all input is read, the output is full, or a member has ended, behind which another one may begin. Returns NULL, or
 * what is wrong; the archive is of no use then.
 */
const char *gzip_expand(struct gzip *g, struct deflate_buffers *b, bool *ended);

#endif
