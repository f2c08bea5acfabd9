#include "console.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "file.h"

/** The descriptor that waits on a connection; -1: none yet, -2: none will come. */
static int receive_master(int fd) {
  char text[512]; // the terminal's name, which nobody needs
  struct iovec piece = {.iov_base = text, .iov_len = sizeof text};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr header = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  const ssize_t got = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return -1;
  const struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  if (part == NULL || part->cmsg_type != SCM_RIGHTS) return -2;
  int master;
  memcpy(&master, CMSG_DATA(part), sizeof master);
  return master;
}

static void connection_ready(struct source *source, uint32_t events) {
  struct console *console = OWNER(source, struct console, connection);
  (void)events;
  const int master = receive_master(source->fd);
  if (master == -1) return;
  loop_close(console->loop, &console->connection);
  if (master < 0) return;
  loop_close(console->loop, &console->listener);
  console->on_master(console, master);
}

static void listener_ready(struct source *source, uint32_t events) {
  struct console *console = OWNER(source, struct console, listener);
  (void)events;
  const int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  loop_close(console->loop, &console->connection);
  console->connection.fd = fd;
  loop_watch(console->loop, &console->connection, EPOLLIN);
}

bool console_open(struct console *console, struct loop *loop, int folder, const char *name) {
  const int fd = listen_in(folder, name);
  if (fd < 0) return false;
  *console = (struct console){
      .loop = loop,
      .folder = folder,
      .name = copy_text(name),
      .listener = {.fd = fd, .ready = listener_ready},
      .connection = {.fd = -1, .ready = connection_ready},
      .on_master = console->on_master,
  };
  loop_watch(loop, &console->listener, EPOLLIN);
  return true;
}

void console_close(struct console *console) {
  if (console->name == NULL) return;
  // The runtime is done, so what it sent is there: first accept, then receive.
  if (console->listener.fd >= 0 && console->connection.fd < 0) listener_ready(&console->listener, EPOLLIN);
  if (console->connection.fd >= 0) connection_ready(&console->connection, EPOLLIN);
  loop_close(console->loop, &console->connection);
  loop_close(console->loop, &console->listener);
  unlinkat(console->folder, console->name, 0);
  free(console->name);
  console->name = NULL;
}
