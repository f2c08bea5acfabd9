/* What the files of the addon share. Every entry point is a napi_callback that either returns a value or has thrown. */
#ifndef HAWSER_ADDON_H
#define HAWSER_ADDON_H

#include <limits.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* values.c: arguments and results. The take_ functions throw a TypeError and return false when the value does not fit. */
bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool take_bool(napi_env env, napi_value value, bool *out);
bool take_int(napi_env env, napi_value value, int *out);
bool take_double(napi_env env, napi_value value, double *out);
bool take_int64(napi_env env, napi_value bigint, int64_t *out);

struct bytes {
  unsigned char *data;
  size_t size;
};
/* Borrowed: lives as long as the JavaScript value. */
bool take_bytes(napi_env env, napi_value value, struct bytes *out);
/* Owned by the caller: bytes_free. */
bool take_bytes_copy(napi_env env, napi_value value, struct bytes *out);
void bytes_free(struct bytes *bytes);

/* A path or name, given as a string or as bytes, without NUL in it. */
struct text {
  char data[PATH_MAX];
};
bool take_text(napi_env env, napi_value value, struct text *out);

napi_value make_int(napi_env env, int value);
napi_value make_bytes(napi_env env, const struct bytes *bytes);
napi_value make_undefined(napi_env env);
void set_property(napi_env env, napi_value object, const char *name, napi_value value);

/* An object that owns `state`, which is released with it, or at once when it cannot be made. */
napi_value make_owner(napi_env env, void *state, const napi_type_tag *tag, napi_finalize release);
/* What such an object owns; of another: NULL, and throws with the words of `wanted`. */
void *take_owned(napi_env env, napi_value owner, const napi_type_tag *tag, const char *wanted);

/* An Error as Node's own: message "EPERM: operation not permitted, mknod '/x'", code, errno, syscall, path (may be NULL). */
napi_value make_system_error(napi_env env, int error, const char *syscall, const char *path);
/* Throws it; returns NULL. */
napi_value throw_system_error(napi_env env, int error, const char *syscall, const char *path);

/* job.c: work on a thread of its own, never one of Node's, because it changes the thread's network namespace. */
struct job {
  void (*run)(struct job *);                     /* on the new thread; sets error and syscall on failure */
  napi_value (*result)(napi_env, struct job *);  /* on the JavaScript thread, after success */
  void (*discard)(struct job *);                 /* frees the job, and closes what it made unless that was taken */
  bool taken;                                    /* JavaScript has the result */
  bool resident;                                 /* may run on a thread that stays: changes its network namespace at most */
  struct job *next;
  int error;
  const char *syscall;
  napi_deferred deferred;
  napi_threadsafe_function done;
};
/* Each takes the job over. */
napi_value run_job_and_wait(napi_env env, struct job *job);
napi_value run_job_for_promise(napi_env env, struct job *job);
void job_failed(struct job *job, const char *syscall);

/* netlink-socket.c */
int netlink_open(int protocol);
/* Sends all messages of `request`, collects whatever comes until each has been answered. 0 or an errno. */
int netlink_transact(int fd, const struct bytes *request, struct bytes *reply);

/* files.c: before any thread is confined. */
void remember_home(void);

/* One function each, registered in module.c under the same name in camel case. */
napi_value peer_credentials(napi_env env, napi_callback_info info);
napi_value duplicate(napi_env env, napi_callback_info info);
napi_value lock_file(napi_env env, napi_callback_info info);
napi_value unread_by_peer(napi_env env, napi_callback_info info);
napi_value connect_unix(napi_env env, napi_callback_info info);
napi_value send_with_descriptors(napi_env env, napi_callback_info info);
napi_value socket_pair(napi_env env, napi_callback_info info);
napi_value send_datagram(napi_env env, napi_callback_info info);
napi_value create_network_namespace(napi_env env, napi_callback_info info);
napi_value netlink(napi_env env, napi_callback_info info);
napi_value netlink_async(napi_env env, napi_callback_info info);
napi_value send_file(napi_env env, napi_callback_info info);
napi_value socket_in_namespace(napi_env env, napi_callback_info info);
napi_value release_thread(napi_env env, napi_callback_info info);
napi_value hold_root(napi_env env, napi_callback_info info);
napi_value enter_root(napi_env env, napi_callback_info info);
napi_value drop_root(napi_env env, napi_callback_info info);
napi_value confine_thread(napi_env env, napi_callback_info info);
napi_value make_node(napi_env env, napi_callback_info info);
napi_value exchange_files(napi_env env, napi_callback_info info);
napi_value set_xattr(napi_env env, napi_callback_info info);
napi_value get_xattr(napi_env env, napi_callback_info info);
napi_value list_xattr(napi_env env, napi_callback_info info);
napi_value set_times_ns(napi_env env, napi_callback_info info);
napi_value make_file(napi_env env, napi_callback_info info);
napi_value set_file_attributes(napi_env env, napi_callback_info info);
napi_value create_inflater(napi_env env, napi_callback_info info);
napi_value inflate_bytes(napi_env env, napi_callback_info info);
napi_value open_in_root(napi_env env, napi_callback_info info);
napi_value stat_folder(napi_env env, napi_callback_info info);
napi_value confine_thread_to_view(napi_env env, napi_callback_info info);
napi_value mount_file_system(napi_env env, napi_callback_info info);
napi_value unmount_file_system(napi_env env, napi_callback_info info);
napi_value sync_file_system(napi_env env, napi_callback_info info);
napi_value set_project_quota(napi_env env, napi_callback_info info);
napi_value run_nft(napi_env env, napi_callback_info info);
napi_value open_netlink_feed(napi_env env, napi_callback_info info);
napi_value compile_seccomp(napi_env env, napi_callback_info info);

#endif
