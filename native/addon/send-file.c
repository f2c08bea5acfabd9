/* Bytes from a file to a socket that never come into this process' memory. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* So much, and others have their turn. */
enum { SEND_MAX = 16 << 20 };

struct sending {
  int socket, file; /* our own: whoever else has them may close theirs */
  off_t at;
  size_t left, sent;
  int error;
  napi_deferred deferred;
  napi_async_work work;
};

static void discard(struct sending *sending) {
  if (sending->socket >= 0) close(sending->socket);
  if (sending->file >= 0) close(sending->file);
  free(sending);
}

/* On one of Node's threads: waits for the disk, never for the socket, which does not block. */
static void send_some(napi_env env, void *data) {
  (void)env;
  struct sending *sending = data;
  while (sending->left > 0) {
    const ssize_t size = sendfile(sending->socket, sending->file, &sending->at, sending->left);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) sending->error = errno;
    if (size <= 0) return;
    sending->sent += (size_t)size;
    sending->left -= (size_t)size;
  }
}

static void settle(napi_env env, napi_status status, void *data) {
  struct sending *sending = data;
  napi_value value = NULL;
  if (status == napi_ok && (sending->error == 0 || sending->sent > 0)) {
    napi_create_double(env, (double)sending->sent, &value);
    napi_resolve_deferred(env, sending->deferred, value);
  } else {
    const int error = status == napi_ok ? sending->error : ECANCELED;
    napi_reject_deferred(env, sending->deferred, make_system_error(env, error, "sendfile", NULL));
  }
  napi_delete_async_work(env, sending->work);
  discard(sending);
}

/* sendFile(socketFd, fileFd, position, length): Promise<number>, how much the socket took at once */
napi_value send_file(napi_env env, napi_callback_info info) {
  napi_value arguments[4], promise = NULL, name;
  int socket, file;
  double at, length;
  if (!take_arguments(env, info, 4, arguments) || !take_int(env, arguments[0], &socket) ||
      !take_int(env, arguments[1], &file) || !take_double(env, arguments[2], &at) ||
      !take_double(env, arguments[3], &length))
    return NULL;
  if (!(at >= 0 && at < 9007199254740992.0 && length >= 0)) return throw_system_error(env, EINVAL, "sendfile", NULL);
  const int flags = fcntl(socket, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) return throw_system_error(env, EINVAL, "sendfile", NULL);
  struct sending *sending = calloc(1, sizeof *sending);
  if (sending == NULL) return throw_system_error(env, ENOMEM, "calloc", NULL);
  sending->socket = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  sending->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
  sending->at = (off_t)at;
  sending->left = length < SEND_MAX ? (size_t)length : SEND_MAX;
  if (sending->socket < 0 || sending->file < 0) {
    const int error = errno;
    discard(sending);
    return throw_system_error(env, error, "fcntl", NULL);
  }
  if (napi_create_string_utf8(env, "hawser:sendfile", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_promise(env, &sending->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, name, send_some, settle, sending, &sending->work) != napi_ok) {
    discard(sending);
    return throw_system_error(env, ENOMEM, "napi_create_async_work", NULL);
  }
  napi_queue_async_work(env, sending->work);
  return promise;
}
