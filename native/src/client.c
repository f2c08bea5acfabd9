#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "streams.h"

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

const char *client_parse(struct client *client, const struct frame *frame) {
  *client = (struct client){
      .wants = {frame_flag(frame, "stdin"), frame_flag(frame, "stdout"), frame_flag(frame, "stderr")},
      .input_open = true,
  };
  const char *format = frame_get(frame, "format");
  client->framed = format != NULL && strcmp(format, "frames") == 0;
  if (format != NULL && !client->framed && strcmp(format, "raw") != 0) return "format is neither raw nor frames";
  const char *keys = frame_get(frame, "detach-keys");
  if (keys == NULL) return NULL;
  const size_t length = strlen(keys);
  if (length % 2 != 0 || length / 2 > DETACH_KEYS_MAX) return "detach-keys are not some bytes in hexadecimal";
  for (size_t index = 0; index < length / 2; index++) {
    const int high = hex_digit(keys[index * 2]), low = hex_digit(keys[index * 2 + 1]);
    if (high < 0 || low < 0) return "detach-keys are not some bytes in hexadecimal";
    client->detach_keys[index] = (unsigned char)(high * 16 + low);
  }
  client->detach_length = length / 2;
  return NULL;
}

void client_link(struct client *client, struct client **list) {
  client->next = *list;
  client->link = list;
  if (client->next != NULL) client->next->link = &client->next;
  *list = client;
}

static void unlink_client(struct client *client) {
  if (client->link == NULL) return;
  *client->link = client->next;
  if (client->next != NULL) client->next->link = client->link;
  client->link = NULL;
}

void client_release(struct client *client) {
  unlink_client(client);
  loop_close(client->loop, &client->source);
  buffer_free(&client->queue);
  free(client);
}

void client_free(struct client *client) {
  unlink_client(client);
  if (client->source.fd >= 0) {
    loop_unwatch(client->loop, &client->source);
    // Others may hold the descriptor as well, so closing would not end the stream; and closing with input unread would
    // take output back from the client (RST).
    shutdown(client->source.fd, SHUT_WR);
    for (int round = 0; round < 16; round++) {
      if (recv(client->source.fd, client->scratch->bytes, SCRATCH_SIZE, MSG_DONTWAIT) <= 0) break;
    }
    loop_close(client->loop, &client->source);
  }
  buffer_free(&client->queue);
  struct streams *streams = client->streams;
  const bool had_input = client->wants[0];
  free(client);
  if (streams != NULL) streams_client_left(streams, had_input);
}

static void flush(struct client *client) {
  if (client->source.fd < 0) return;
  while (client->queue.length > 0) {
    const ssize_t sent =
        send(client->source.fd, buffer_head(&client->queue), client->queue.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      client->hung_up = true;
      buffer_free(&client->queue);
      return;
    }
    buffer_consume(&client->queue, (size_t)sent);
  }
}

/** Send what goes at once, queue the rest. */
static void deliver(struct client *client, const struct iovec *pieces, int count) {
  size_t sent = 0;
  if (client->queue.length == 0 && client->source.fd >= 0) {
    struct msghdr header = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    const ssize_t got = sendmsg(client->source.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got < 0 && errno != EAGAIN && errno != EINTR) client->hung_up = true;
    if (got > 0) sent = (size_t)got;
  }
  if (client->hung_up) return;
  for (int index = 0; index < count; index++) {
    const size_t skipped = sent < pieces[index].iov_len ? sent : pieces[index].iov_len;
    buffer_append(&client->queue, (const char *)pieces[index].iov_base + skipped, pieces[index].iov_len - skipped);
    sent -= skipped;
  }
}

void client_answer(struct client *client, struct message *message) {
  message_close(message);
  buffer_append(&client->queue, buffer_head(&message->bytes), message->bytes.length);
  buffer_free(&message->bytes);
}

void client_output(struct client *client, int stream, const char *text, size_t length) {
  if (client->hung_up || !client->wants[stream]) return;
  struct {
    unsigned char stream, zero[3];
    uint32_t length;
  } header = {.stream = (unsigned char)stream, .length = htonl((uint32_t)length)};
  const struct iovec pieces[] = {
      {.iov_base = &header, .iov_len = sizeof header},
      {.iov_base = (void *)(uintptr_t)text, .iov_len = length},
  };
  if (client->framed) deliver(client, pieces, 2);
  else deliver(client, pieces + 1, 1);
  client_update(client);
}

/** How much of the first `length` detach keys is also their end: where matching goes on after a mismatch. */
static size_t border(const unsigned char *keys, size_t length) {
  for (size_t size = length - 1; size > 0; size--) {
    if (memcmp(keys, keys + length - size, size) == 0) return size;
  }
  return 0;
}

/** Pass input on but for the detach keys, of which a beginning is held back. True when they are complete. */
static bool scan(struct client *client, char *text, size_t length) {
  const unsigned char *keys = client->detach_keys;
  size_t from = 0;
  for (size_t index = 0; index < length; index++) {
    const unsigned char byte = (unsigned char)text[index];
    while (client->detach_matched > 0 && keys[client->detach_matched] != byte) {
      const size_t held = border(keys, client->detach_matched);
      streams_input(client->streams, (const char *)keys, client->detach_matched - held);
      client->detach_matched = held;
    }
    if (keys[client->detach_matched] != byte) continue;
    streams_input(client->streams, text + from, index - from);
    from = index + 1;
    if (++client->detach_matched == client->detach_length) return true;
  }
  streams_input(client->streams, text + from, length - from);
  return false;
}

static void detach(struct client *client) {
  client->streams->detached(client->streams);
  client_free(client);
}

void client_input(struct client *client, char *bytes, size_t length) {
  if (!client->wants[0] || client->streams == NULL) return;
  if (!client->streams->tty || client->detach_length == 0) streams_input(client->streams, bytes, length);
  else if (scan(client, bytes, length)) detach(client);
}

/** The client closed its side, or all. True when it has left for good. */
static bool input_ended(struct client *client) {
  client->input_open = false;
  if (!client->wants[0] || client->streams == NULL || !streams_has_input(client->streams)) return client->hung_up;
  if (!streams_closes_input(client->streams)) return true;
  streams_end_input(client->streams);
  return client->hung_up;
}

/** False when the client is gone. */
static bool read_input(struct client *client) {
  const ssize_t got = recv(client->source.fd, client->scratch->bytes, SCRATCH_SIZE, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) {
    if (got < 0) client->hung_up = true;
    if (!input_ended(client)) return true;
    client_free(client);
    return false;
  }
  if (client->streams == NULL || !client->wants[0]) return true;
  if (!client->streams->tty || client->detach_length == 0) {
    streams_input(client->streams, client->scratch->bytes, (size_t)got);
  } else if (scan(client, client->scratch->bytes, (size_t)got)) {
    detach(client);
    return false;
  }
  return true;
}

static bool may_read(const struct client *client) {
  if (!client->input_open) return false;
  return !client->wants[0] || client->streams == NULL || streams_takes_input(client->streams);
}

void client_update(struct client *client) {
  if (client->source.fd < 0) return;
  const bool reads = may_read(client);
  uint32_t events = 0;
  if (reads) events |= EPOLLIN;
  if (client->queue.length > 0) events |= EPOLLOUT;
  // After a hang-up the loop would report it again and again; what was sent before it is still to be read.
  if (client->hung_up && !reads && client->input_open) loop_unwatch(client->loop, &client->source);
  else loop_watch(client->loop, &client->source, events);
}

static void ready(struct source *source, uint32_t events) {
  struct client *client = OWNER(source, struct client, source);
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    client->hung_up = true;
    buffer_free(&client->queue);
  }
  if (!client->hung_up && (events & EPOLLOUT) != 0) flush(client);
  if (may_read(client) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_input(client)) return;
  const bool nothing_to_come = !client->input_open || !client->wants[0] || client->streams == NULL;
  if ((client->hung_up && nothing_to_come) || (client->ending && client->queue.length == 0)) {
    client_free(client);
    return;
  }
  struct streams *streams = client->streams;
  client_update(client);
  if (streams != NULL) streams_update(streams);
}

struct client *client_open(const struct client *parsed, struct loop *loop, struct scratch *scratch, int fd) {
  struct client *client = allocate(sizeof *client);
  *client = *parsed;
  client->loop = loop;
  client->scratch = scratch;
  client->source = (struct source){.fd = fd, .ready = ready};
  return client;
}

void client_end(struct client *client, struct client **lingering) {
  client->streams = NULL;
  client->ending = true;
  flush(client);
  if (client->source.fd >= 0 && (client->hung_up || client->queue.length == 0)) {
    client_free(client);
    return;
  }
  unlink_client(client);
  client_link(client, lingering);
  client_update(client);
}

void client_take_place(struct client *client, int fd, char *bytes, size_t length) {
  client->source.fd = fd;
  if (client->ending && client->queue.length == 0) {
    client_free(client);
    return;
  }
  client_update(client);
  client_input(client, bytes, length);
}
