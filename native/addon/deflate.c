/* The blocks of a DEFLATE stream (RFC 1951), step by step: each ends where input or room does, and is gone on with there. */
#include "deflate.h"

#include <string.h>

void deflate_begin(struct deflate *d) {
  d->state = at_block;
  d->is_fixed = false;
  d->bits = 0;
  d->count = 0;
  d->window_filled = 0;
}

static struct code_table literal_table(struct deflate *d) {
  return (struct code_table){d->literal_entries, literal_table_size, literal_table_bits};
}

static struct code_table distance_table(struct deflate *d) {
  return (struct code_table){d->distance_entries, distance_table_size, distance_table_bits};
}

static struct code_table length_table(struct deflate *d) {
  return (struct code_table){d->length_entries, length_table_size, length_table_bits};
}

/* Whether there are so many bits. No byte is read that they do not reach into. */
static bool have_bits(struct deflate *d, struct deflate_buffers *b, unsigned wanted) {
  for (; d->count < wanted; d->count += 8) {
    if (b->in == b->in_end) return false;
    d->bits |= (uint64_t)*b->in++ << d->count;
  }
  return true;
}

static unsigned low_bits(uint64_t bits, unsigned count) { return (unsigned)(bits & (((uint64_t)1 << count) - 1)); }

static unsigned take_bits(struct deflate *d, unsigned wanted) {
  const unsigned value = low_bits(d->bits, wanted);
  d->bits >>= wanted;
  d->count -= wanted;
  return value;
}

struct symbol {
  entry entry;
  unsigned value;
  unsigned bits; /* to take, if it is wanted now */
};

/* The symbol that comes next, with all its bits. False: they are not there yet. */
static bool see_symbol(struct deflate *d, struct deflate_buffers *b, struct code_table table, struct symbol *out) {
  for (;;) {
    entry e = table.entries[low_bits(d->bits, table.bits)];
    unsigned before = 0;
    if ((e & entry_special) && (e & entry_table)) {
      before = table.bits;
      e = table.entries[entry_value(e) + low_bits(d->bits >> before, entry_code_bits(e))];
    }
    /* Found with bits that may not be there: true if it does not need them. */
    const unsigned code_bits = before + entry_code_bits(e), bits = before + entry_consumed(e);
    if (code_bits <= d->count) {
      if (!have_bits(d, b, bits)) return false;
      *out = (struct symbol){e, entry_value(e) + low_bits(d->bits >> code_bits, bits - code_bits), bits};
      return true;
    }
    if (!have_bits(d, b, d->count + 1)) return false;
  }
}

static void begin_fixed(struct deflate *d) {
  if (d->is_fixed) return;
  uint8_t lengths[literal_codes];
  for (unsigned at = 0; at < literal_codes; at++) lengths[at] = at < 144 ? 8 : at < 256 ? 9 : at < 280 ? 7 : 8;
  build_table(literal_table(d), lengths, literal_codes, literal_meanings, false);
  memset(lengths, 5, distance_codes);
  build_table(distance_table(d), lengths, distance_codes, distance_meanings, false);
  d->is_fixed = true;
}

static const char *begin_dynamic(struct deflate *d) {
  d->is_fixed = false;
  if (d->lengths[256] == 0) return "invalid code -- missing end-of-block";
  if (!build_table(literal_table(d), d->lengths, d->literals, literal_meanings, true)) return "invalid literal/lengths set";
  if (!build_table(distance_table(d), d->lengths + d->literals, d->distances, distance_meanings, true))
    return "invalid distances set";
  return NULL;
}

/* The length of one code, or of some alike. False: input is wanted. */
static bool read_length(struct deflate *d, struct deflate_buffers *b, const char **problem) {
  static const unsigned count_bits[] = {2, 3, 7}, least[] = {3, 3, 11};
  struct symbol symbol;
  if (!see_symbol(d, b, length_table(d), &symbol)) return false;
  unsigned times = 1, length = symbol.value;
  if (symbol.value < 16) {
    take_bits(d, symbol.bits);
  } else {
    const unsigned kind = symbol.value - 16;
    if (!have_bits(d, b, symbol.bits + count_bits[kind])) return false;
    take_bits(d, symbol.bits);
    times = least[kind] + take_bits(d, count_bits[kind]);
    length = kind > 0 ? 0 : d->done > 0 ? d->lengths[d->done - 1] : most_code_bits + 1;
    if (length > most_code_bits || times > d->literals + d->distances - d->done) *problem = "invalid bit length repeat";
  }
  if (*problem == NULL) memset(d->lengths + d->done, (int)length, times);
  d->done += times;
  return true;
}

/* As much of a match as there is room for. False: it begins before the stream does. */
static bool copy_match(struct deflate *d, struct deflate_buffers *b, const uint8_t *out_start) {
  while (d->length > 0 && b->out < b->out_end) {
    const size_t room = (size_t)(b->out_end - b->out), here = (size_t)(b->out - out_start);
    const bool is_here = d->distance <= here;
    const size_t back = is_here ? d->distance : d->distance - here;
    if (!is_here && back > d->window_filled) return false;
    size_t part = d->length < room ? d->length : room;
    if (part > back) part = back;
    memcpy(b->out, (is_here ? b->out : d->window + window_size) - back, part);
    b->out += part;
    d->length -= (unsigned)part;
  }
  return true;
}

static void copy_stored(struct deflate *d, struct deflate_buffers *b) {
  const size_t there = (size_t)(b->in_end - b->in), room = (size_t)(b->out_end - b->out);
  size_t part = there < room ? there : room;
  if (part > d->length) part = d->length;
  if (part > 0) memcpy(b->out, b->in, part);
  b->in += part;
  b->out += part;
  d->length -= (unsigned)part;
}

enum step { gone_on, stuck };

/* One symbol, or as many as there is room for. */
static enum step step_symbol(struct deflate *d, struct deflate_buffers *b, const uint8_t *out_start, const char **problem) {
  if (has_room_for_symbols(b)) {
    *problem = expand_symbols(d, b, out_start);
    return gone_on;
  }
  struct symbol symbol;
  if (!see_symbol(d, b, literal_table(d), &symbol)) return stuck;
  if (symbol.entry & entry_literal) {
    if (b->out == b->out_end) return stuck;
    *b->out++ = (uint8_t)(symbol.entry >> 16);
  } else if (!(symbol.entry & entry_special)) {
    d->length = symbol.value;
    d->state = at_distance;
  } else if (symbol.entry & entry_end) {
    d->state = d->is_last ? at_end : at_block;
  } else {
    *problem = "invalid literal/length code";
  }
  take_bits(d, symbol.bits);
  return gone_on;
}

static enum step step_block(struct deflate *d, struct deflate_buffers *b, const char **problem) {
  if (!have_bits(d, b, 3)) return stuck;
  d->is_last = take_bits(d, 1) == 1;
  switch (take_bits(d, 2)) {
    case 0:
      take_bits(d, d->count & 7);
      d->state = at_stored_length;
      break;
    case 1:
      begin_fixed(d);
      d->state = at_symbol;
      break;
    case 2:
      d->state = at_dynamic;
      break;
    default:
      *problem = "invalid block type";
  }
  return gone_on;
}

static enum step step(struct deflate *d, struct deflate_buffers *b, const uint8_t *out_start, const char **problem) {
  static const uint8_t order[length_codes] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  struct symbol symbol;
  switch (d->state) {
    case at_block:
      return step_block(d, b, problem);
    case at_stored_length:
      if (!have_bits(d, b, 32)) return stuck;
      d->length = take_bits(d, 16);
      if (d->length != (take_bits(d, 16) ^ 0xffff)) *problem = "invalid stored block lengths";
      d->state = at_stored;
      return gone_on;
    case at_stored:
      copy_stored(d, b);
      if (d->length > 0) return stuck;
      d->state = d->is_last ? at_end : at_block;
      return gone_on;
    case at_dynamic:
      if (!have_bits(d, b, 14)) return stuck;
      d->literals = 257 + take_bits(d, 5);
      d->distances = 1 + take_bits(d, 5);
      d->length_symbols = 4 + take_bits(d, 4);
      if (d->literals > 286 || d->distances > 30) *problem = "too many length or distance symbols";
      d->done = 0;
      memset(d->lengths, 0, length_codes);
      d->state = at_length_code;
      return gone_on;
    case at_length_code:
      for (; d->done < d->length_symbols; d->done++) {
        if (!have_bits(d, b, 3)) return stuck;
        d->lengths[order[d->done]] = (uint8_t)take_bits(d, 3);
      }
      if (!build_table(length_table(d), d->lengths, length_codes, length_meanings, false)) *problem = "invalid code lengths set";
      d->done = 0;
      d->state = at_lengths;
      return gone_on;
    case at_lengths:
      while (d->done < d->literals + d->distances && *problem == NULL)
        if (!read_length(d, b, problem)) return stuck;
      if (*problem == NULL) *problem = begin_dynamic(d);
      d->state = at_symbol;
      return gone_on;
    case at_symbol:
      return step_symbol(d, b, out_start, problem);
    case at_distance:
      if (!see_symbol(d, b, distance_table(d), &symbol)) return stuck;
      if (symbol.entry & entry_special) *problem = "invalid distance code";
      take_bits(d, symbol.bits);
      d->distance = symbol.value;
      d->state = at_match;
      return gone_on;
    case at_match:
      if (!copy_match(d, b, out_start)) *problem = "invalid distance too far back";
      else if (d->length > 0) return stuck;
      d->state = at_symbol;
      return gone_on;
    case at_end:
      take_bits(d, d->count);
  }
  return stuck;
}

/* Keep what the matches of a later call may begin in. */
static void remember(struct deflate *d, const uint8_t *out_start, const uint8_t *out) {
  const size_t written = (size_t)(out - out_start);
  const unsigned part = written < window_size ? (unsigned)written : window_size;
  if (part == 0) return;
  const unsigned kept = d->window_filled < window_size - part ? d->window_filled : window_size - part;
  uint8_t *const end = d->window + window_size;
  memmove(end - part - kept, end - kept, kept);
  memcpy(end - part, out - part, part);
  d->window_filled = kept + part;
}

const char *deflate_expand(struct deflate *d, struct deflate_buffers *b) {
  const uint8_t *const out_start = b->out;
  const char *problem = NULL;
  while (problem == NULL && step(d, b, out_start, &problem) == gone_on) continue;
  remember(d, out_start, b->out);
  return problem;
}
