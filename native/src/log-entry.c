#include "log-entry.h"

#include <stdint.h>
#include <string.h>

/**
 * The length of the UTF-8 character at `text`; 0 when there is none (Unicode table 3-7: no surrogates, nothing above
 * U+10FFFF, no longer form than needed).
 */
static size_t utf8_length(const unsigned char *text, size_t left) {
  const unsigned char first = text[0];
  if (first < 0x80) return 1;
  size_t length = 0;
  unsigned char low = 0x80, high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  else if (first >= 0xe0 && first <= 0xef) length = 3;
  else if (first >= 0xf0 && first <= 0xf4) length = 4;
  if (first == 0xe0) low = 0xa0;
  else if (first == 0xed) high = 0x9f;
  else if (first == 0xf0) low = 0x90;
  else if (first == 0xf4) high = 0x8f;
  if (length == 0 || length > left) return 0;
  if (text[1] < low || text[1] > high) return 0;
  for (size_t index = 2; index < length; index++) {
    if (text[index] < 0x80 || text[index] > 0xbf) return 0;
  }
  return length;
}

size_t utf8_unfinished(const char *text, size_t length) {
  for (size_t back = 1; back <= 3 && back <= length; back++) {
    const unsigned char byte = (unsigned char)text[length - back];
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size_t needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? back : 0;
  }
  return 0;
}

static char *put(char *out, const char *text) {
  const size_t length = strlen(text);
  memcpy(out, text, length);
  return out + length;
}

static char *put_digits(char *out, uint64_t value, int count) {
  for (int index = count - 1; index >= 0; index--) {
    out[index] = (char)('0' + value % 10);
    value /= 10;
  }
  return out + count;
}

/** An ASCII byte that JSON, or HTML in the eyes of Go, does not let stand. */
static char *put_escaped(char *out, unsigned char byte) {
  static const char hex[] = "0123456789abcdef";
  *out++ = '\\';
  switch (byte) {
    case '"':
    case '\\': *out++ = (char)byte; return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
    default: break;
  }
  out = put(out, "u00");
  *out++ = hex[byte >> 4];
  *out++ = hex[byte & 15];
  return out;
}

/** ASCII that needs no escape: all but the controls and " & < > \\ */
static const bool stands_as_is[256] = {
    [0x20 ... 0x21] = true, [0x23 ... 0x25] = true, [0x27 ... 0x3b] = true,
    [0x3d] = true,          [0x3f ... 0x5b] = true, [0x5d ... 0x7f] = true,
};

static char *put_text(char *out, const unsigned char *text, size_t length) {
  const unsigned char *end = text + length;
  while (text < end) {
    size_t run = 0;
    while (text + run < end && stands_as_is[text[run]]) run++;
    if (run > 0) {
      memcpy(out, text, run);
      out += run;
      text += run;
      continue;
    }
    if (*text < 0x80) {
      out = put_escaped(out, *text++);
      continue;
    }
    const size_t size = utf8_length(text, (size_t)(end - text));
    if (size == 0) {
      out = put(out, "\\ufffd");
      text++;
    } else if (size == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9)) {
      out = put(out, text[2] == 0xa8 ? "\\u2028" : "\\u2029");
      text += size;
    } else {
      memcpy(out, text, size);
      out += size;
      text += size;
    }
  }
  return out;
}

/** 2026-11-23T18:27:58.123456789Z. libc's gmtime would bring its time zones along. */
static char *put_time(char *out, struct timespec time) {
  const int64_t days = time.tv_sec / 86400;
  const int64_t seconds = time.tv_sec % 86400;
  // Howard Hinnant's civil_from_days: years begin in March, eras have 400 of them.
  const int64_t shifted = days + 719468;
  const int64_t era = shifted / 146097;
  const int64_t day_of_era = shifted % 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  out = put_digits(out, (uint64_t)year, 4);
  *out++ = '-';
  out = put_digits(out, (uint64_t)month, 2);
  *out++ = '-';
  out = put_digits(out, (uint64_t)day, 2);
  *out++ = 'T';
  out = put_digits(out, (uint64_t)(seconds / 3600), 2);
  *out++ = ':';
  out = put_digits(out, (uint64_t)(seconds / 60 % 60), 2);
  *out++ = ':';
  out = put_digits(out, (uint64_t)(seconds % 60), 2);
  *out++ = '.';
  out = put_digits(out, (uint64_t)time.tv_nsec, 9);
  *out++ = 'Z';
  return out;
}

size_t log_entry_format(char *out, const char *text, size_t length, const char *stream, struct timespec time) {
  char *end = put(out, "{\"log\":\"");
  end = put_text(end, (const unsigned char *)text, length);
  end = put(end, "\",\"stream\":\"");
  end = put(end, stream);
  end = put(end, "\",\"time\":\"");
  end = put_time(end, time);
  end = put(end, "\"}\n");
  return (size_t)(end - out);
}
