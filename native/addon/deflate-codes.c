/* Tables that tell what the next bits of a DEFLATE stream mean. */
#include "deflate.h"

#include <string.h>

#define literal(value) (entry_literal | (entry)(value) << 16)
#define plus(base, extra_bits) ((entry)(base) << 16 | (extra_bits))
#define invalid (entry_special | entry_invalid)

#define literals4(at) literal(at), literal(at + 1), literal(at + 2), literal(at + 3)
#define literals16(at) literals4(at), literals4(at + 4), literals4(at + 8), literals4(at + 12)
#define literals64(at) literals16(at), literals16(at + 16), literals16(at + 32), literals16(at + 48)

/* RFC 1951, 3.2.5: without the bits of a code, which differ from block to block. */
const entry literal_meanings[literal_codes] = {
    literals64(0), literals64(64), literals64(128), literals64(192),
    entry_special | entry_end,
    plus(3, 0), plus(4, 0), plus(5, 0), plus(6, 0), plus(7, 0), plus(8, 0), plus(9, 0), plus(10, 0),
    plus(11, 1), plus(13, 1), plus(15, 1), plus(17, 1), plus(19, 2), plus(23, 2), plus(27, 2), plus(31, 2),
    plus(35, 3), plus(43, 3), plus(51, 3), plus(59, 3), plus(67, 4), plus(83, 4), plus(99, 4), plus(115, 4),
    plus(131, 5), plus(163, 5), plus(195, 5), plus(227, 5), plus(258, 0), invalid, invalid,
};

const entry distance_meanings[distance_codes] = {
    plus(1, 0), plus(2, 0), plus(3, 0), plus(4, 0), plus(5, 1), plus(7, 1), plus(9, 2), plus(13, 2),
    plus(17, 3), plus(25, 3), plus(33, 4), plus(49, 4), plus(65, 5), plus(97, 5), plus(129, 6), plus(193, 6),
    plus(257, 7), plus(385, 7), plus(513, 8), plus(769, 8), plus(1025, 9), plus(1537, 9), plus(2049, 10), plus(3073, 10),
    plus(4097, 11), plus(6145, 11), plus(8193, 12), plus(12289, 12), plus(16385, 13), plus(24577, 13), invalid, invalid,
};

/* 3.2.7: lengths, and 16 to 18 for repetitions. */
const entry length_meanings[length_codes] = {
    plus(0, 0), plus(1, 0), plus(2, 0), plus(3, 0), plus(4, 0), plus(5, 0), plus(6, 0), plus(7, 0), plus(8, 0), plus(9, 0),
    plus(10, 0), plus(11, 0), plus(12, 0), plus(13, 0), plus(14, 0), plus(15, 0), plus(16, 0), plus(17, 0), plus(18, 0),
};

/* Of a symbol, where `bits` of its code choose. */
static entry entry_of(entry meaning, unsigned bits) { return meaning + (bits << 8 | bits); }

/* The code that follows another one of `bits`. They come with their first bit lowest, so a carry goes downwards. */
static unsigned next_code(unsigned code, unsigned bits) {
  unsigned bit = 1u << (bits - 1);
  while (code & bit) bit >>= 1;
  return bit == 0 ? 0 : (code & (bit - 1)) | bit;
}

bool build_table(struct code_table table, const uint8_t *lengths, unsigned symbols, const entry *meanings, bool may_be_short) {
  unsigned counts[most_code_bits + 1] = {0}, starts[most_code_bits + 1];
  uint16_t sorted[literal_codes]; /* symbols by their codes */
  for (unsigned symbol = 0; symbol < symbols; symbol++) counts[lengths[symbol]]++;
  counts[0] = 0;
  unsigned longest = most_code_bits, total = 0, used = 0;
  while (longest > 0 && counts[longest] == 0) longest--;
  for (unsigned bits = 1; bits <= longest; bits++) {
    starts[bits] = total;
    total += counts[bits];
    used = (used << 1) + counts[bits];
    if (used > 1u << bits) return false;
  }
  for (unsigned symbol = 0; symbol < symbols; symbol++)
    if (lengths[symbol] > 0) sorted[starts[lengths[symbol]]++] = (uint16_t)symbol;

  const unsigned first_size = 1u << table.bits;
  if (longest == 0 || used < 1u << longest) {
    if (!may_be_short || longest > 1) return false;
    /* What is not the one symbol, if there is one, is nobody's. */
    const entry nobody = entry_of(invalid, 1);
    for (unsigned at = 0; at < first_size; at += 2) {
      table.entries[at] = total == 0 ? nobody : entry_of(meanings[sorted[0]], 1);
      table.entries[at + 1] = nobody;
    }
    return true;
  }

  /* The first table, made for one more bit at a time: it begins as what it was for one less, twice. */
  unsigned at = 0, code = 0, bits = 1;
  for (unsigned end = 2; bits <= table.bits; bits++, end <<= 1) {
    for (unsigned left = counts[bits]; left > 0; left--) {
      table.entries[code] = entry_of(meanings[sorted[at++]], bits);
      code = next_code(code, bits);
    }
    if (bits < table.bits) memcpy(table.entries + end, table.entries, end * sizeof *table.entries);
  }

  /* Longer codes, in further tables: one for all that begin alike, by as many bits as the longest of them has left. */
  unsigned next = first_size, begin = ~0u, choosing = 0;
  for (; at < total; bits++) {
    for (unsigned left = counts[bits]; left > 0; left--) {
      if ((code & (first_size - 1)) != begin) {
        if (begin != ~0u) next += 1u << choosing;
        begin = code & (first_size - 1);
        choosing = bits - table.bits;
        for (unsigned taken = left; taken < 1u << choosing && table.bits + choosing < longest;)
          taken = (taken << 1) + counts[table.bits + ++choosing];
        if (next + (1u << choosing) > table.size) return false; /* never: see the sizes */
        table.entries[begin] = entry_special | entry_table | next << 16 | choosing << 8 | table.bits;
      }
      const entry one = entry_of(meanings[sorted[at++]], bits - table.bits);
      for (unsigned place = code >> table.bits; place < 1u << choosing; place += 1u << (bits - table.bits))
        table.entries[next + place] = one;
      code = next_code(code, bits);
    }
  }
  return true;
}
