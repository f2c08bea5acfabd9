/*
 * The symbols of a DEFLATE block while there is so much of input and room that neither is looked at within one: here a stream spends
 * its time. No call in the loop, or what it works with would be in memory instead of registers.
 */
#include "deflate.h"

#include <string.h>

/* What a turn of the loop may read, with two fills of the bit buffer, and write: literals and a match, which is copied 32 bytes at once. */
enum { most_filled = 7, in_margin = most_filled + 8, out_margin = 3 + longest_match + 31 };

static inline uint64_t load64(const uint8_t *from) {
  uint64_t value;
  memcpy(&value, from, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

static inline void copy32(uint8_t *to, const uint8_t *from) {
  memcpy(to, from, 16);
  memcpy(to + 16, from + 16, 16); /* after it: the two may be 16 bytes apart */
}

/* A match that begins within this output. May write up to 31 bytes behind it. */
static inline void copy_match(uint8_t *to, const uint8_t *to_end, unsigned distance) {
  const uint8_t *from = to - distance;
  if (distance >= 16) {
    copy32(to, from);
    while (__builtin_expect(to + 32 < to_end, 0)) {
      to += 32;
      from += 32;
      copy32(to, from);
    }
  } else if (distance == 1) {
    const uint64_t same = *from * (uint64_t)0x0101010101010101;
    do {
      memcpy(to, &same, 8);
      to += 8;
    } while (to < to_end);
  } else {
    /* Of the eight bytes the last ones may be wrong until the next eight are written. */
    const unsigned step = distance < 8 ? distance : 8;
    do {
      memcpy(to, from, 8);
      to += step;
      from += step;
    } while (to < to_end);
  }
}

/*
 * `count` counts in its lowest six bits alone: whole entries are taken from it. A fill makes it 56 or more; two literals and a length
 * take up to 42 of them, a distance and the look at the symbol behind it 39.
 */
#define low(n) (bits & (((uint64_t)1 << (n)) - 1))
#define fill() (bits |= load64(in) << (count & 63), in += 7 - (count >> 3 & 7), count |= 56)
#define consume(e) (bits >>= (e) & 63, count -= (e))
#define value_of(e) (entry_value(e) + (unsigned)(low(entry_consumed(e)) >> entry_code_bits(e)))
#define look() (literals[low(literal_table_bits)])
#define put_literal(e) (consume(e), *out++ = (uint8_t)((e) >> 16))

static inline __attribute__((always_inline)) const char *expand(struct deflate *d, struct deflate_buffers *b,
                                                                 const uint8_t *out_start) {
  const entry *const literals = d->literal_entries, *const distances = d->distance_entries;
  const uint8_t *in = b->in, *const in_last = b->in_end - in_margin;
  uint8_t *out = b->out, *const out_last = b->out_end - out_margin;
  uint64_t bits = d->bits;
  unsigned count = d->count;
  const char *problem = NULL;
  fill();
  entry e = look();
  while (in <= in_last && out <= out_last) {
    if (e & entry_literal) {
      put_literal(e);
      e = look();
      if (e & entry_literal) {
        put_literal(e);
        e = look();
        if (e & entry_literal) {
          put_literal(e);
          fill();
          e = look();
          continue;
        }
      }
    }
    if (__builtin_expect(e & entry_special, 0)) {
      if (e & entry_table) {
        consume(literal_table_bits);
        e = literals[entry_value(e) + low(entry_code_bits(e))];
        if (e & entry_literal) {
          put_literal(e);
          fill();
          e = look();
          continue;
        }
      }
      if (e & entry_special) {
        consume(e);
        if (e & entry_end) d->state = d->is_last ? at_end : at_block;
        else problem = "invalid literal/length code";
        break;
      }
    }
    const unsigned length = value_of(e);
    consume(e);
    if (__builtin_expect((count & 63) < most_code_bits + most_distance_bits + literal_table_bits, 0)) fill();
    e = distances[low(distance_table_bits)];
    if (__builtin_expect(e & entry_special, 0)) {
      if (e & entry_table) {
        consume(distance_table_bits);
        e = distances[entry_value(e) + low(entry_code_bits(e))];
      }
      if (e & entry_special) {
        problem = "invalid distance code";
        break;
      }
    }
    const unsigned distance = value_of(e);
    consume(e);
    if (__builtin_expect(distance > (size_t)(out - out_start), 0)) {
      d->length = length;
      d->distance = distance;
      d->state = at_match;
      break;
    }
    e = look();
    fill();
    copy_match(out, out + length, distance);
    out += length;
  }
  /* Whole bytes are given back: what is behind the stream is not its own. */
  count &= 63;
  b->in = in - (count >> 3);
  b->out = out;
  d->count = count & 7;
  d->bits = low(d->count);
  return problem;
}

#if defined __x86_64__
__attribute__((target("bmi,bmi2"))) static const char *expand_with_bmi2(struct deflate *d, struct deflate_buffers *b,
                                                                        const uint8_t *out_start) {
  return expand(d, b, out_start);
}
#endif

const char *expand_symbols(struct deflate *d, struct deflate_buffers *b, const uint8_t *out_start) {
#if defined __x86_64__
  if (__builtin_cpu_supports("bmi2")) return expand_with_bmi2(d, b, out_start);
#endif
  return expand(d, b, out_start);
}

bool has_room_for_symbols(const struct deflate_buffers *b) {
  return b->in_end - b->in >= in_margin + most_filled && b->out_end - b->out >= out_margin;
}
