/*
 * Network namespaces. A thread of our own enters or makes the namespace, works there and ends; the threads that run
 * JavaScript, and libuv's, stay where they are.
 */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Making a namespace: settings (NUL-ended pairs of path and text), then requests from inside, then from outside. */
struct creation {
  struct job job;
  struct bytes settings, inside, outside, inside_reply, outside_reply;
  int fd;
};

static void creation_discard(struct job *job) {
  struct creation *creation = (struct creation *)job;
  struct bytes *all[] = {&creation->settings, &creation->inside, &creation->outside, &creation->inside_reply,
                         &creation->outside_reply};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) bytes_free(all[i]);
  if (creation->fd >= 0 && !job->taken) close(creation->fd);
  free(creation);
}

static bool loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int status = ioctl(fd, SIOCSIFFLAGS, &request), error = errno;
  close(fd);
  errno = error;
  return status == 0;
}

/* A setting that this kernel does not have is not missed. */
static bool write_settings(const struct bytes *settings) {
  const char *at = (const char *)settings->data, *end = at + settings->size;
  while (at < end) {
    const char *path = at, *text = path + strlen(path) + 1;
    if (text >= end) break;
    size_t size = strlen(text);
    at = text + size + 1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    if (fd < 0) return false;
    ssize_t written = write(fd, text, size);
    int error = errno;
    close(fd);
    errno = error;
    if (written < 0) return false;
  }
  return true;
}

static bool transact(struct job *job, int fd, const struct bytes *request, struct bytes *reply) {
  errno = fd < 0 ? errno : netlink_transact(fd, request, reply);
  if (errno != 0) job_failed(job, "netlink");
  return job->error == 0;
}

static void creation_run(struct job *job) {
  struct creation *creation = (struct creation *)job;
  int outside = -1, inside = -1;
  errno = 0;
  if (creation->outside.size > 0 && (outside = netlink_open(NETLINK_ROUTE)) < 0) job_failed(job, "socket");
  else if (unshare(CLONE_NEWNET) != 0) job_failed(job, "unshare");
  else if (!loopback_up()) job_failed(job, "ioctl");
  else if (!write_settings(&creation->settings)) job_failed(job, "write");
  else if ((creation->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0) job_failed(job, "open");
  else if (creation->inside.size > 0 && (inside = netlink_open(NETLINK_ROUTE)) < 0) job_failed(job, "socket");
  if (job->error == 0 && inside >= 0) transact(job, inside, &creation->inside, &creation->inside_reply);
  if (job->error == 0 && outside >= 0) transact(job, outside, &creation->outside, &creation->outside_reply);
  if (inside >= 0) close(inside);
  if (outside >= 0) close(outside);
}

static napi_value creation_result(napi_env env, struct job *job) {
  struct creation *creation = (struct creation *)job;
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  set_property(env, object, "fd", make_int(env, creation->fd));
  set_property(env, object, "inside", make_bytes(env, &creation->inside_reply));
  set_property(env, object, "outside", make_bytes(env, &creation->outside_reply));
  return object;
}

/* createNetworkNamespace(settings, inside, outside): Promise<{ fd, inside, outside }> */
napi_value create_network_namespace(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  if (!take_arguments(env, info, 3, arguments)) return NULL;
  struct creation *creation = calloc(1, sizeof *creation);
  if (creation == NULL) return throw_system_error(env, ENOMEM, "calloc", NULL);
  creation->fd = -1;
  creation->job = (struct job){
      .run = creation_run, .result = creation_result, .discard = creation_discard, .resident = true};
  if (!take_bytes_copy(env, arguments[0], &creation->settings) ||
      !take_bytes_copy(env, arguments[1], &creation->inside) ||
      !take_bytes_copy(env, arguments[2], &creation->outside)) {
    creation_discard(&creation->job);
    return NULL;
  }
  if (creation->settings.size > 0) creation->settings.data[creation->settings.size] = '\0';
  return run_job_for_promise(env, &creation->job);
}

/* A netlink request in the namespace of `namespace_fd`, or in the process' own when that is -1. */
struct transaction {
  struct job job;
  int namespace_fd, protocol;
  struct bytes request, reply;
};

static void transaction_discard(struct job *job) {
  struct transaction *transaction = (struct transaction *)job;
  bytes_free(&transaction->request);
  bytes_free(&transaction->reply);
  if (transaction->namespace_fd >= 0) close(transaction->namespace_fd);
  free(transaction);
}

static void transaction_run(struct job *job) {
  struct transaction *transaction = (struct transaction *)job;
  if (transaction->namespace_fd >= 0 && setns(transaction->namespace_fd, CLONE_NEWNET) != 0) {
    job_failed(job, "setns");
    return;
  }
  int fd = netlink_open(transaction->protocol);
  if (fd < 0) {
    job_failed(job, "socket");
    return;
  }
  transact(job, fd, &transaction->request, &transaction->reply);
  close(fd);
}

static napi_value transaction_result(napi_env env, struct job *job) {
  return make_bytes(env, &((struct transaction *)job)->reply);
}

static struct transaction *take_transaction(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int namespace_fd, protocol;
  if (!take_arguments(env, info, 3, arguments) || !take_int(env, arguments[1], &namespace_fd) ||
      !take_int(env, arguments[2], &protocol))
    return NULL;
  struct transaction *transaction = calloc(1, sizeof *transaction);
  if (transaction == NULL) {
    throw_system_error(env, ENOMEM, "calloc", NULL);
    return NULL;
  }
  *transaction = (struct transaction){
      .job = {.run = transaction_run,
              .result = transaction_result,
              .discard = transaction_discard,
              .resident = true},
      .namespace_fd = -1,
      .protocol = protocol,
  };
  if (!take_bytes_copy(env, arguments[0], &transaction->request)) goto failed;
  if (namespace_fd >= 0) {
    /* A copy, so that the caller may close its own while the thread is on its way. */
    transaction->namespace_fd = fcntl(namespace_fd, F_DUPFD_CLOEXEC, 3);
    if (transaction->namespace_fd < 0) {
      throw_system_error(env, errno, "fcntl", NULL);
      goto failed;
    }
  }
  return transaction;
failed:
  transaction_discard(&transaction->job);
  return NULL;
}

/* netlink(request, namespaceFd, protocol): Uint8Array */
napi_value netlink(napi_env env, napi_callback_info info) {
  struct transaction *transaction = take_transaction(env, info);
  if (transaction == NULL) return NULL;
  if (transaction->namespace_fd >= 0) return run_job_and_wait(env, &transaction->job);
  struct job *job = &transaction->job;
  transaction_run(job);
  napi_value value = NULL;
  if (job->error != 0) throw_system_error(env, job->error, job->syscall, NULL);
  else value = transaction_result(env, job);
  transaction_discard(job);
  return value;
}

/* netlinkAsync(request, namespaceFd, protocol): Promise<Uint8Array> */
napi_value netlink_async(napi_env env, napi_callback_info info) {
  struct transaction *transaction = take_transaction(env, info);
  return transaction == NULL ? NULL : run_job_for_promise(env, &transaction->job);
}

/* A socket born in a namespace: it keeps working there whoever holds it. */
struct birth {
  struct job job;
  int namespace_fd, protocol, fd;
  bool shared;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  socklen_t address_size;
};

static void birth_discard(struct job *job) {
  struct birth *birth = (struct birth *)job;
  if (birth->fd >= 0 && !job->taken) close(birth->fd);
  free(birth);
}

static void birth_run(struct job *job) {
  struct birth *birth = (struct birth *)job;
  const int on = 1;
  if (setns(birth->namespace_fd, CLONE_NEWNET) != 0) {
    job_failed(job, "setns");
    return;
  }
  const bool stream = birth->protocol != IPPROTO_UDP;
  const int type = (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  birth->fd = socket(birth->address.any.sa_family, type, birth->protocol);
  if (birth->fd < 0) job_failed(job, "socket");
  else if (stream && setsockopt(birth->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    job_failed(job, "setsockopt");
  else if (birth->shared && setsockopt(birth->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    job_failed(job, "setsockopt");
  else if (bind(birth->fd, &birth->address.any, birth->address_size) != 0) job_failed(job, "bind");
}

static napi_value birth_result(napi_env env, struct job *job) {
  return make_int(env, ((struct birth *)job)->fd);
}

/* socketInNamespace(namespaceFd, protocol, address, port, shared): number */
napi_value socket_in_namespace(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct text address;
  bool shared;
  int namespace_fd, protocol, port;
  if (!take_arguments(env, info, 5, arguments) || !take_int(env, arguments[0], &namespace_fd) ||
      !take_int(env, arguments[1], &protocol) || !take_text(env, arguments[2], &address) || !take_int(env, arguments[3], &port))
    return NULL;
  if (napi_get_value_bool(env, arguments[4], &shared) != napi_ok || port < 0 || port > UINT16_MAX)
    return throw_system_error(env, EINVAL, "bind", address.data);
  struct birth *birth = calloc(1, sizeof *birth);
  if (birth == NULL) return throw_system_error(env, ENOMEM, "calloc", NULL);
  birth->job = (struct job){.run = birth_run, .result = birth_result, .discard = birth_discard};
  birth->namespace_fd = namespace_fd;
  birth->protocol = protocol;
  birth->shared = shared;
  birth->fd = -1;
  if (inet_pton(AF_INET, address.data, &birth->address.v4.sin_addr) == 1) {
    birth->address.v4.sin_family = AF_INET;
    birth->address.v4.sin_port = htons((uint16_t)port);
    birth->address_size = sizeof birth->address.v4;
  } else if (inet_pton(AF_INET6, address.data, &birth->address.v6.sin6_addr) == 1) {
    birth->address.v6.sin6_family = AF_INET6;
    birth->address.v6.sin6_port = htons((uint16_t)port);
    birth->address_size = sizeof birth->address.v6;
  } else {
    birth_discard(&birth->job);
    return throw_system_error(env, EINVAL, "inet_pton", address.data);
  }
  return run_job_and_wait(env, &birth->job);
}
