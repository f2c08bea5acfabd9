/*
 * The other process of the descriptor tests: descriptor-echo <socket>
 *
 * Listens, accepts one connection, takes from it a message with a descriptor until its end; writes the message to the
 * descriptor, then sends back what it reads from there, until the end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void wait_for(int fd, short events) {
  struct pollfd ready = {.fd = fd, .events = events};
  if (poll(&ready, 1, 10000) != 1) fail("poll");
}

static void write_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, data, size);
    if (written < 0 && errno != EAGAIN) fail("write");
    if (written < 0) wait_for(fd, POLLOUT);
    else data += written, size -= (size_t)written;
  }
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail(path);
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) fail("listen");
  return fd;
}

/* The message goes to the descriptor as it comes, so its length does not matter. */
static int pass_message_on(int connection) {
  static char data[64 << 10];
  int descriptor = -1;
  for (;;) {
    union {
      struct cmsghdr header;
      char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t size = recvmsg(connection, &message, 0);
    if (size < 0) fail("recvmsg");
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    if (descriptor < 0) fail("no descriptor with the first byte");
    if (size == 0) return descriptor;
    write_all(descriptor, data, (size_t)size);
  }
}

int main(int argc, char **argv) {
  static char data[64 << 10];
  if (argc != 2) return 2;
  int connection = accept(listen_at(argv[1]), NULL, NULL);
  if (connection < 0) fail("accept");
  int descriptor = pass_message_on(connection);
  for (;;) {
    ssize_t size = read(descriptor, data, sizeof data);
    if (size == 0) return 0;
    if (size > 0) write_all(descriptor, data, (size_t)size);
    else if (errno == EAGAIN) wait_for(descriptor, POLLIN);
    else fail("read");
  }
}
