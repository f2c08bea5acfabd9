/*
 * What the kernel tells of changes (netlink multicast), as a stream that Node can read: a thread passes it on until the
 * reader closes its end. A reader that is behind loses news and is told so with an NLMSG_OVERRUN.
 */
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { news_most = 64 << 10 };

struct feed {
  int netlink, out;
};

static bool pass_on(const struct feed *feed, unsigned char *news) {
  const struct nlmsghdr overrun = {.nlmsg_len = sizeof overrun, .nlmsg_type = NLMSG_OVERRUN};
  struct sockaddr_nl from = {0};
  socklen_t from_size = sizeof from;
  ssize_t size = recvfrom(feed->netlink, news, news_most, MSG_TRUNC, (struct sockaddr *)&from, &from_size);
  if (size < 0 && errno == EINTR) return true;
  if (size < 0 && errno != ENOBUFS) return false;
  if (size >= 0 && from.nl_pid != 0) return true; /* not from the kernel */
  const bool lost = size < 0 || size > news_most;
  const void *data = lost ? (const void *)&overrun : news;
  const size_t left = lost ? sizeof overrun : (size_t)size;
  /* All or nothing: the other end is a stream socket with room, or its reader is behind and will ask anyway. */
  return send(feed->out, data, left, MSG_NOSIGNAL) == (ssize_t)left;
}

static void *run_feed(void *data) {
  struct feed *feed = data;
  unsigned char *news = malloc(news_most);
  struct pollfd fds[] = {{.fd = feed->netlink, .events = POLLIN}, {.fd = feed->out, .events = POLLIN}};
  while (news != NULL) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
    if (fds[1].revents != 0) break; /* nobody writes to it: it has been closed */
    if (fds[0].revents != 0 && !pass_on(feed, news)) break;
  }
  free(news);
  close(feed->netlink);
  close(feed->out);
  free(feed);
  return NULL;
}

static int start_feed(struct feed *feed) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const int error = pthread_create(&thread, &attributes, run_feed, feed);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

/* openNetlinkFeed(protocol, group): number, the reader's end */
napi_value open_netlink_feed(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int protocol, group, ends[2];
  if (!take_arguments(env, info, 2, arguments) || !take_int(env, arguments[0], &protocol) ||
      !take_int(env, arguments[1], &group))
    return NULL;
  const struct sockaddr_nl own = {.nl_family = AF_NETLINK};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return throw_system_error(env, errno, "socket", NULL);
  struct feed *feed = calloc(1, sizeof *feed);
  int error = feed == NULL ? ENOMEM : 0;
  if (error == 0 && bind(fd, (const struct sockaddr *)&own, sizeof own) != 0) error = errno;
  if (error == 0 && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) error = errno;
  if (error == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) error = errno;
  if (error != 0) {
    close(fd);
    free(feed);
    return throw_system_error(env, error, "netlink", NULL);
  }
  *feed = (struct feed){.netlink = fd, .out = ends[1]};
  error = start_feed(feed);
  if (error == 0) return make_int(env, ends[0]);
  close(fd);
  close(ends[0]);
  close(ends[1]);
  free(feed);
  return throw_system_error(env, error, "pthread_create", NULL);
}
