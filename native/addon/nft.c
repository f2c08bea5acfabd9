/*
 * Changes of nftables rules by libnftables, which `nft` is made of: a tenth of a millisecond for an element, against
 * ten for a spawned program. It is loaded when first needed, and is not made for several threads at a time.
 */
#include "addon.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct library {
  void *(*new_context)(uint32_t flags);
  void (*free_context)(void *context);
  int (*buffer_output)(void *context);
  int (*buffer_error)(void *context);
  const char *(*get_output)(void *context);
  const char *(*get_error)(void *context);
  void (*set_flags)(void *context, unsigned flags);
  int (*run)(void *context, const char *commands);
};

static struct {
  pthread_mutex_t lock;
  bool loaded;
  struct library library;
  void *home; /* for the process' own namespace; its view of the rules is brought up to date by their generation */
} nft = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct rules {
  struct job job;
  int namespace_fd;
  struct bytes commands, answer;
  bool refused;
};

static bool find(void *handle, const char *name, void *function) {
  void *found = dlsym(handle, name);
  memcpy(function, &found, sizeof found); // ISO C has no conversion from object to function pointer
  return found != NULL;
}

static bool load(struct library *library) {
  void *handle = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
  return handle != NULL && find(handle, "nft_ctx_new", &library->new_context) &&
         find(handle, "nft_ctx_free", &library->free_context) &&
         find(handle, "nft_ctx_buffer_output", &library->buffer_output) &&
         find(handle, "nft_ctx_buffer_error", &library->buffer_error) &&
         find(handle, "nft_ctx_get_output_buffer", &library->get_output) &&
         find(handle, "nft_ctx_get_error_buffer", &library->get_error) &&
         find(handle, "nft_ctx_output_set_flags", &library->set_flags) &&
         find(handle, "nft_run_cmd_from_buffer", &library->run);
}

/* NFT_CTX_OUTPUT_HANDLE: only by its handle can a rule be taken away. */
enum { with_handles = 1 << 3 };

static void *open_context(void) {
  void *context = nft.library.new_context(0);
  if (context == NULL) return NULL;
  nft.library.set_flags(context, with_handles);
  if (nft.library.buffer_output(context) == 0 && nft.library.buffer_error(context) == 0) return context;
  nft.library.free_context(context);
  return NULL;
}

static void run_in(void *context, struct rules *rules) {
  rules->refused = nft.library.run(context, (const char *)rules->commands.data) != 0;
  const char *text = rules->refused ? nft.library.get_error(context) : nft.library.get_output(context);
  const size_t size = text == NULL ? 0 : strlen(text);
  rules->answer.data = malloc(size + 1);
  if (rules->answer.data == NULL) {
    errno = ENOMEM;
    job_failed(&rules->job, "malloc");
    return;
  }
  if (size > 0) memcpy(rules->answer.data, text, size);
  rules->answer.size = size;
}

static void rules_run(struct job *job) {
  struct rules *rules = (struct rules *)job;
  const bool elsewhere = rules->namespace_fd >= 0;
  if (elsewhere && setns(rules->namespace_fd, CLONE_NEWNET) != 0) {
    job_failed(job, "setns");
    return;
  }
  pthread_mutex_lock(&nft.lock);
  nft.loaded = nft.loaded || load(&nft.library);
  void *context = NULL;
  if (nft.loaded) {
    if (elsewhere) context = open_context();
    else context = nft.home = nft.home == NULL ? open_context() : nft.home;
  }
  if (context == NULL) {
    errno = nft.loaded ? ENOMEM : ENOENT;
    job_failed(job, nft.loaded ? "nft_ctx_new" : "dlopen");
  } else {
    run_in(context, rules);
    if (elsewhere) nft.library.free_context(context);
  }
  pthread_mutex_unlock(&nft.lock);
}

static napi_value rules_result(napi_env env, struct job *job) {
  struct rules *rules = (struct rules *)job;
  napi_value object, refused;
  if (napi_create_object(env, &object) != napi_ok || napi_get_boolean(env, rules->refused, &refused) != napi_ok)
    return NULL;
  set_property(env, object, "refused", refused);
  set_property(env, object, "text", make_bytes(env, &rules->answer));
  return object;
}

static void rules_discard(struct job *job) {
  struct rules *rules = (struct rules *)job;
  bytes_free(&rules->commands);
  bytes_free(&rules->answer);
  if (rules->namespace_fd >= 0) close(rules->namespace_fd);
  free(rules);
}

/* runNft(commands, namespaceFd): Promise<{ refused, text }> */
napi_value run_nft(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int namespace_fd;
  if (!take_arguments(env, info, 2, arguments) || !take_int(env, arguments[1], &namespace_fd)) return NULL;
  struct rules *rules = calloc(1, sizeof *rules);
  if (rules == NULL) return throw_system_error(env, ENOMEM, "calloc", NULL);
  rules->namespace_fd = -1;
  rules->job = (struct job){.run = rules_run, .result = rules_result, .discard = rules_discard, .resident = true};
  if (!take_bytes_copy(env, arguments[0], &rules->commands)) {
    rules_discard(&rules->job);
    return NULL;
  }
  rules->commands.data[rules->commands.size] = '\0'; /* a copy has room for it */
  if (namespace_fd >= 0) {
    /* A copy, so that the caller may close its own while the thread is on its way. */
    rules->namespace_fd = fcntl(namespace_fd, F_DUPFD_CLOEXEC, 3);
    if (rules->namespace_fd < 0) {
      const int error = errno;
      rules_discard(&rules->job);
      return throw_system_error(env, error, "fcntl", NULL);
    }
  }
  return run_job_for_promise(env, &rules->job);
}
