/*
 * DEFLATE (RFC 1951), expanded on the calling thread, from and to buffers that the caller uses again. It refuses what zlib refuses,
 * with zlib's words. All that is remembered of a stream is one `struct deflate`; nothing is allocated.
 */
#ifndef HAWSER_DEFLATE_H
#define HAWSER_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  most_code_bits = 15,
  most_distance_bits = 13, /* behind a distance's code */
  longest_match = 258,
  literal_codes = 288,     /* literals, the end of a block, lengths */
  distance_codes = 32,
  length_codes = 19,       /* of the code that the lengths of the other two are written in */
  window_size = 32768,
};

/*
 * What a code means. From the lowest bit:
 *   0-7    bits to consume: of the code, and of what is added to the value
 *   8-11   bits of the code alone; of a table, the bits that choose in it
 *   12-15  the flags below
 *   16-30  the value: a literal, what a length or a distance begins at, where a table is
 *   31     it is a literal
 */
typedef uint32_t entry;
#define entry_literal 0x80000000u
#define entry_special 0x8000u /* one of these: */
#define entry_table 0x4000u   /* the code is longer: the next bits choose in a further table */
#define entry_end 0x2000u     /* the block ends */
#define entry_invalid 0x1000u

static inline unsigned entry_consumed(entry e) { return e & 0x3f; }
static inline unsigned entry_code_bits(entry e) { return e >> 8 & 0xf; }
static inline unsigned entry_value(entry e) { return e >> 16 & 0x7fff; }

/* Tables by the first bits of a code, and behind them those of longer codes: as many entries as any code makes (zlib's `enough`). */
enum {
  literal_table_bits = 11,
  literal_table_size = 2342,
  distance_table_bits = 8,
  distance_table_size = 402,
  length_table_bits = 7,
  length_table_size = 128,
};

struct code_table {
  entry *entries;
  unsigned size;
  unsigned bits; /* that choose in the first table */
};

/* deflate-codes.c */
extern const entry literal_meanings[literal_codes], distance_meanings[distance_codes], length_meanings[length_codes];
/*
 * Fills the table of a canonical code (RFC 1951, 3.2.2), `lengths` its symbols' bits. False when they are no code: too many short
 * ones, or too few, unless it `may_be_short` and has one symbol of one bit, or none.
 */
bool build_table(struct code_table table, const uint8_t *lengths, unsigned symbols, const entry *meanings, bool may_be_short);

struct deflate {
  enum {
    at_block, at_stored_length, at_stored, at_dynamic, at_length_code, at_lengths, at_symbol, at_distance, at_match, at_end,
  } state;
  bool is_last;  /* this block is */
  bool is_fixed; /* the tables are those of the fixed codes */
  uint64_t bits; /* read and not consumed, the next one lowest, those above `count` 0; less than a symbol's between calls */
  unsigned count;
  unsigned literals, distances, length_symbols; /* symbols of a dynamic block */
  unsigned done;                                /* their lengths that were read */
  uint8_t lengths[literal_codes + distance_codes];
  unsigned length, distance; /* of a match, or what is left of it; of a stored block */
  unsigned window_filled;
  uint8_t window[window_size]; /* what was expanded before this call, its end last */
  entry literal_entries[literal_table_size], distance_entries[distance_table_size], length_entries[length_table_size];
};

struct deflate_buffers {
  const uint8_t *in, *in_end;
  uint8_t *out, *out_end; /* up to `out_end` it may be written to, whatever `out` says afterwards */
};

void deflate_begin(struct deflate *d);
/*
 * Goes on until all input is read, the output is full, or the last block has ended: `at_end`, and `in` is at the byte behind it.
 * Returns NULL, or what is wrong; the stream is of no use then.
 */
const char *deflate_expand(struct deflate *d, struct deflate_buffers *b);

/* deflate-symbols.c: whether there is enough of both for the quick way, and it: up to the block's end, or nearly that of one of them. */
bool has_room_for_symbols(const struct deflate_buffers *b);
const char *expand_symbols(struct deflate *d, struct deflate_buffers *b, const uint8_t *out_start);

#endif
