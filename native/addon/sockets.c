/* Unix sockets: who is on the other side, connecting, handing descriptors over; and what else is done to a descriptor. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Longest that a call may hold the event loop when the other side does not accept or read. */
enum { patience_ms = 5000 };
/* The kernel's SCM_MAX_FD. */
enum { most_descriptors = 253 };

napi_value peer_credentials(napi_env env, napi_callback_info info) {
  napi_value arguments[1], object;
  int fd;
  if (!take_arguments(env, info, 1, arguments) || !take_int(env, arguments[0], &fd)) return NULL;
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return throw_system_error(env, errno, "getsockopt", NULL);
  const struct {
    const char *name;
    uint32_t value;
  } fields[] = {{"pid", (uint32_t)peer.pid}, {"uid", peer.uid}, {"gid", peer.gid}};
  napi_create_object(env, &object);
  for (size_t i = 0; i < 3; i++) {
    napi_value number = NULL;
    napi_create_uint32(env, fields[i].value, &number);
    set_property(env, object, fields[i].name, number);
  }
  return object;
}

napi_value duplicate(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int fd;
  if (!take_arguments(env, info, 1, arguments) || !take_int(env, arguments[0], &fd)) return NULL;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? throw_system_error(env, errno, "fcntl", NULL) : make_int(env, copy);
}

napi_value lock_file(napi_env env, napi_callback_info info) {
  napi_value arguments[1], locked;
  int fd;
  if (!take_arguments(env, info, 1, arguments) || !take_int(env, arguments[0], &fd)) return NULL;
  int status;
  do status = flock(fd, LOCK_EX | LOCK_NB);
  while (status != 0 && errno == EINTR);
  if (status != 0 && errno != EWOULDBLOCK) return throw_system_error(env, errno, "flock", NULL);
  napi_get_boolean(env, status == 0, &locked);
  return locked;
}

/*
 * sun_path holds 107 bytes; a longer path goes through a descriptor of its folder, which *folder then owns.
 * 0 or an errno.
 */
static int unix_address(const struct text *path, struct sockaddr_un *address, int *folder) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  *folder = -1;
  size_t size = strlen(path->data);
  if (size < sizeof address->sun_path) {
    memcpy(address->sun_path, path->data, size);
    return 0;
  }
  struct text parent = *path;
  char *slash = strrchr(parent.data, '/');
  if (slash == NULL) return ENAMETOOLONG;
  *slash = '\0';
  *folder = open(parent.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*folder < 0) return errno;
  int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder, slash + 1);
  return length < (int)sizeof address->sun_path ? 0 : ENAMETOOLONG;
}

static int connect_to(const struct text *path, int *out) {
  struct sockaddr_un address;
  const struct timeval wait = {.tv_sec = patience_ms / 1000}, forever = {0};
  int folder, fd = -1, error = unix_address(path, &address, &folder);
  if (error == 0) {
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) error = errno;
  }
  if (error == 0) {
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) error = errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever);
  }
  if (folder >= 0) close(folder);
  if (error == 0) *out = fd;
  else if (fd >= 0) close(fd);
  return error;
}

/* unreadByPeer(fd): of a Unix stream, whether the other side has read all that was written: 0 then. */
napi_value unread_by_peer(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int fd, unread;
  if (!take_arguments(env, info, 1, arguments) || !take_int(env, arguments[0], &fd)) return NULL;
  if (ioctl(fd, SIOCOUTQ, &unread) != 0) return throw_system_error(env, errno, "ioctl", NULL);
  return make_int(env, unread);
}

napi_value connect_unix(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct text path;
  if (!take_arguments(env, info, 1, arguments) || !take_text(env, arguments[0], &path)) return NULL;
  int fd = -1, error = connect_to(&path, &fd);
  return error != 0 ? throw_system_error(env, error, "connect", path.data) : make_int(env, fd);
}

/* 0 or an errno. The descriptors go with the first byte, so only the first sendmsg that takes any carries them. */
static int send_all(int fd, struct bytes bytes, const int *descriptors, size_t count) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * most_descriptors)];
  } control = {0};
  struct iovec part = {.iov_base = bytes.data, .iov_len = bytes.size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
  }
  while (part.iov_len > 0) {
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      part.iov_base = (char *)part.iov_base + sent;
      part.iov_len -= (size_t)sent;
      message.msg_control = NULL;
      message.msg_controllen = 0;
    } else if (errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      int ready = poll(&writable, 1, patience_ms);
      if (ready == 0) return ETIMEDOUT;
      if (ready < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

napi_value send_with_descriptors(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd, descriptors[most_descriptors];
  struct bytes bytes;
  uint32_t count = 0;
  if (!take_arguments(env, info, 3, arguments) || !take_int(env, arguments[0], &fd) ||
      !take_bytes(env, arguments[1], &bytes))
    return NULL;
  if (napi_get_array_length(env, arguments[2], &count) != napi_ok || count > most_descriptors || bytes.size == 0)
    return throw_system_error(env, EINVAL, "sendmsg", NULL);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(env, arguments[2], i, &element) != napi_ok || !take_int(env, element, &descriptors[i]))
      return NULL;
  }
  int error = send_all(fd, bytes, descriptors, count);
  return error != 0 ? throw_system_error(env, error, "sendmsg", NULL) : make_undefined(env);
}

napi_value socket_pair(napi_env env, napi_callback_info info) {
  int ends[2];
  napi_value list;
  (void)info;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return throw_system_error(env, errno, "socketpair", NULL);
  napi_create_array_with_length(env, 2, &list);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, list, i, make_int(env, ends[i]));
  return list;
}

/* To a datagram socket; a path that begins with @ is an abstract name (unix(7)). */
napi_value send_datagram(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct text path;
  struct bytes bytes;
  if (!take_arguments(env, info, 2, arguments) || !take_text(env, arguments[0], &path) ||
      !take_bytes(env, arguments[1], &bytes))
    return NULL;
  struct sockaddr_un address;
  int folder, error = unix_address(&path, &address, &folder);
  if (error != 0) return throw_system_error(env, error, "sendto", path.data);
  socklen_t size = sizeof address;
  if (path.data[0] == '@') {
    address.sun_path[0] = '\0';
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path.data));
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || sendto(fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size) < 0)
    error = errno;
  if (fd >= 0) close(fd);
  if (folder >= 0) close(folder);
  return error != 0 ? throw_system_error(env, error, "sendto", path.data) : make_undefined(env);
}
