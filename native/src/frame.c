#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void frame_free(struct frame *frame) {
  free(frame->fields);
  *frame = (struct frame){0};
}

/** Every field is a key of [a-z-], "=", and a value that a NUL ends; the first key is "kind". */
static bool well_formed(const struct frame *frame) {
  static const char first[] = "kind=";
  if (frame->length < sizeof first || memcmp(frame->fields, first, sizeof first - 1) != 0) return false;
  if (frame->fields[frame->length - 1] != '\0') return false;
  const char *end = frame->fields + frame->length;
  for (const char *field = frame->fields; field < end; field += strlen(field) + 1) {
    size_t key = strspn(field, "abcdefghijklmnopqrstuvwxyz-");
    if (key == 0 || field[key] != '=') return false;
  }
  return true;
}

const char *frame_next(const struct frame *frame, const char *key, const char *previous) {
  const char *end = frame->fields + frame->length;
  const size_t size = strlen(key);
  const char *field = previous == NULL ? frame->fields : previous + strlen(previous) + 1;
  for (; field < end; field += strlen(field) + 1) {
    if (strncmp(field, key, size) == 0 && field[size] == '=') return field + size + 1;
  }
  return NULL;
}

const char *frame_next_of(const struct frame *frame, const char *key, int64_t number, const char *previous) {
  const char *value = frame_next(frame, key, previous);
  if (number < 0) return value;
  char digits[NUMBER_SIZE];
  const size_t size = strlen(number_text(number, digits));
  for (; value != NULL; value = frame_next(frame, key, value)) {
    if (strncmp(value, digits, size) == 0 && value[size] == ':') return value + size + 1;
  }
  return NULL;
}

const char *frame_get(const struct frame *frame, const char *key) {
  return frame_next(frame, key, NULL);
}

bool frame_is(const struct frame *frame, const char *kind) {
  return strcmp(frame->fields + strlen("kind="), kind) == 0;
}

bool frame_flag(const struct frame *frame, const char *key) {
  const char *value = frame_get(frame, key);
  return value != NULL && strcmp(value, "1") == 0;
}

bool parse_number(const char *text, int64_t most, int64_t *value) {
  if (*text == '\0') return false;
  int64_t number = 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    const int digit = *text - '0';
    if (number > (INT64_MAX - digit) / 10) return false;
    number = number * 10 + digit;
  }
  if (number > most) return false;
  *value = number;
  return true;
}

bool frame_number(const struct frame *frame, const char *key, int64_t most, int64_t *value) {
  const char *text = frame_get(frame, key);
  return text == NULL || parse_number(text, most, value);
}

/** As recv without waiting, and keeps the first descriptor that comes along. */
static ssize_t receive(int fd, void *into, size_t size, int *passed) {
  struct iovec piece = {.iov_base = into, .iov_len = size};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * 4)];
  } control;
  struct msghdr header = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  const ssize_t got = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int received;
      memcpy(&received, CMSG_DATA(part) + index * sizeof(int), sizeof received);
      if (*passed < 0) *passed = received;
      else close(received);
    }
  }
  return got;
}

enum frame_status frame_read(struct frame_reader *reader, int fd) {
  for (;;) {
    char *into;
    size_t wanted;
    if (reader->got < FRAME_HEADER) {
      into = (char *)reader->header + reader->got;
      wanted = FRAME_HEADER - reader->got;
    } else {
      into = reader->frame.fields + (reader->got - FRAME_HEADER);
      wanted = reader->frame.length - (reader->got - FRAME_HEADER);
    }
    const ssize_t got = receive(fd, into, wanted, &reader->passed);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return FRAME_AGAIN;
    if (got == 0) return reader->got == 0 ? FRAME_END : FRAME_BROKEN;
    if (got < 0) return FRAME_BROKEN;
    reader->got += (size_t)got;
    if (reader->got == FRAME_HEADER) {
      uint32_t length;
      memcpy(&length, reader->header, sizeof length);
      length = ntohl(length);
      if (length == 0 || length > FRAME_MAX) return FRAME_BROKEN;
      reader->frame = (struct frame){.fields = allocate(length), .length = length};
    }
    if (reader->got > FRAME_HEADER && reader->got == FRAME_HEADER + reader->frame.length) {
      return well_formed(&reader->frame) ? FRAME_READY : FRAME_BROKEN;
    }
  }
}

void frame_reader_reset(struct frame_reader *reader) {
  frame_free(&reader->frame);
  if (reader->passed >= 0) close(reader->passed);
  *reader = (struct frame_reader){.passed = -1};
}

const char *number_text(int64_t value, char out[NUMBER_SIZE]) {
  char digits[NUMBER_SIZE];
  size_t count = 0;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do {
    digits[count++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  size_t length = 0;
  if (value < 0) out[length++] = '-';
  while (count > 0) out[length++] = digits[--count];
  out[length] = '\0';
  return out;
}

void message_open(struct message *message, const char *kind) {
  const uint32_t unknown = 0;
  buffer_append(&message->bytes, &unknown, sizeof unknown);
  message_add(message, "kind", kind);
}

void message_add(struct message *message, const char *key, const char *value) {
  buffer_append(&message->bytes, key, strlen(key));
  buffer_append(&message->bytes, "=", 1);
  buffer_append(&message->bytes, value, strlen(value) + 1);
}

void message_add_number(struct message *message, const char *key, int64_t value) {
  char text[NUMBER_SIZE];
  message_add(message, key, number_text(value, text));
}

void message_close(struct message *message) {
  const uint32_t length = htonl((uint32_t)(message->bytes.length - FRAME_HEADER));
  memcpy(buffer_head(&message->bytes), &length, sizeof length);
}

void message_send(struct message *message, int fd) {
  message_close(message);
  // A peer that has not even room for a small answer, or is gone, will not miss it.
  (void)!send(fd, buffer_head(&message->bytes), message->bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  buffer_free(&message->bytes);
}
