#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { datagram_most = 64 << 10, reply_most = 16 << 20, patience_seconds = 30 };

int netlink_open(int protocol) {
  const int on = 1;
  const struct timeval patience = {.tv_sec = patience_seconds};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  /* Answers with the kernel's own words, and without a copy of the question. */
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

/* Number of answers to wait for: one for each message, or -1 when the request is not well formed. */
static int count_messages(const struct bytes *request) {
  int count = 0;
  for (size_t offset = 0; offset < request->size;) {
    struct nlmsghdr header;
    if (request->size - offset < sizeof header) return -1;
    memcpy(&header, request->data + offset, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > request->size - offset) return -1;
    if ((header.nlmsg_flags & (NLM_F_ACK | NLM_F_DUMP)) == 0) return -1;
    offset += NLMSG_ALIGN((size_t)header.nlmsg_len);
    count++;
  }
  return count > 0 ? count : -1;
}

static int count_answers(const unsigned char *data, size_t size) {
  int count = 0;
  for (size_t offset = 0; size - offset >= sizeof(struct nlmsghdr);) {
    struct nlmsghdr header;
    memcpy(&header, data + offset, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > size - offset) break;
    if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) count++;
    offset += NLMSG_ALIGN((size_t)header.nlmsg_len);
    if (offset > size) break;
  }
  return count;
}

static int receive(int fd, int waiting, struct bytes *reply) {
  size_t capacity = 0;
  while (waiting > 0) {
    if (capacity - reply->size < datagram_most) {
      capacity = reply->size + 2 * (size_t)datagram_most;
      if (capacity > reply_most) return EMSGSIZE;
      unsigned char *grown = realloc(reply->data, capacity);
      if (grown == NULL) return ENOMEM;
      reply->data = grown;
    }
    struct sockaddr_nl from = {0};
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(fd, reply->data + reply->size, datagram_most, MSG_TRUNC, (struct sockaddr *)&from, &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    if (size > datagram_most) return EMSGSIZE;
    if (from.nl_pid != 0) continue; /* not from the kernel */
    waiting -= count_answers(reply->data + reply->size, (size_t)size);
    reply->size += NLMSG_ALIGN((size_t)size);
  }
  return 0;
}

int netlink_transact(int fd, const struct bytes *request, struct bytes *reply) {
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  int waiting = count_messages(request);
  if (waiting < 0) return EINVAL;
  ssize_t sent;
  do sent = sendto(fd, request->data, request->size, 0, (const struct sockaddr *)&kernel, sizeof kernel);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno;
  int error = receive(fd, waiting, reply);
  if (error != 0) bytes_free(reply);
  return error;
}
