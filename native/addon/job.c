#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

void job_failed(struct job *job, const char *syscall) {
  job->error = errno;
  job->syscall = syscall;
}

/* Signals stay with Node's threads. */
static int start_thread(pthread_t *thread, void *(*body)(void *), struct job *job, bool detached) {
  sigset_t all, before;
  pthread_attr_t attributes;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  if (detached) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int error = pthread_create(thread, &attributes, body, job);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

static void *run_joined(void *data) {
  struct job *job = data;
  job->run(job);
  return NULL;
}

napi_value run_job_and_wait(napi_env env, struct job *job) {
  pthread_t thread;
  napi_value value = NULL;
  int error = start_thread(&thread, run_joined, job, false);
  if (error != 0) {
    throw_system_error(env, error, "pthread_create", NULL);
  } else {
    pthread_join(thread, NULL);
    if (job->error != 0) throw_system_error(env, job->error, job->syscall, NULL);
    else value = job->result(env, job);
    job->taken = value != NULL;
  }
  job->discard(job);
  return value;
}

/*
 * On the JavaScript thread. `env` is NULL, or refuses the result, when the worker or the process is on its way out and
 * nobody waits any more.
 */
static void settle(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  (void)context;
  struct job *job = data;
  if (env != NULL) {
    if (job->error != 0)
      napi_reject_deferred(env, job->deferred, make_system_error(env, job->error, job->syscall, NULL));
    else
      job->taken = napi_resolve_deferred(env, job->deferred, job->result(env, job)) == napi_ok;
  }
  job->discard(job);
}

static void run_and_tell(struct job *job) {
  napi_threadsafe_function done = job->done;
  job->run(job);
  napi_status status = napi_call_threadsafe_function(done, job, napi_tsfn_blocking);
  if (status != napi_ok) job->discard(job);
  if (status != napi_closing) napi_release_threadsafe_function(done, napi_tsfn_release);
}

static void *run_detached(void *data) {
  run_and_tell(data);
  return NULL;
}

/*
 * Threads that stay. Making a thread waits for the kernel's cgroup lock, which each container's start takes for
 * milliseconds: the JavaScript thread would stand still meanwhile. Each comes back to its first network namespace after
 * a job.
 */
enum { RESIDENTS_MAX = 2 };
static struct {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  struct job *first, **end;
  int threads, idle;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .end = &queue.first};

static struct job *next_job(void) {
  pthread_mutex_lock(&queue.lock);
  queue.idle++;
  while (queue.first == NULL) pthread_cond_wait(&queue.filled, &queue.lock);
  queue.idle--;
  struct job *job = queue.first;
  queue.first = job->next;
  if (queue.first == NULL) queue.end = &queue.first;
  pthread_mutex_unlock(&queue.lock);
  return job;
}

/* A thread that cannot come back to its namespace ends; the next job makes another. */
static void *run_resident(void *data) {
  const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  struct job *job = data;
  do {
    run_and_tell(job);
  } while (home >= 0 && setns(home, CLONE_NEWNET) == 0 && (job = next_job()) != NULL);
  if (home >= 0) close(home);
  pthread_mutex_lock(&queue.lock);
  queue.threads--;
  pthread_mutex_unlock(&queue.lock);
  return NULL;
}

/* 0, or why no thread will run it. */
static int enqueue(struct job *job) {
  pthread_mutex_lock(&queue.lock);
  const bool grow = queue.idle == 0 && queue.threads < RESIDENTS_MAX;
  if (grow) {
    queue.threads++;
  } else {
    job->next = NULL;
    *queue.end = job;
    queue.end = &job->next;
    pthread_cond_signal(&queue.filled);
  }
  pthread_mutex_unlock(&queue.lock);
  if (!grow) return 0;
  pthread_t thread;
  const int error = start_thread(&thread, run_resident, job, true);
  if (error != 0) {
    pthread_mutex_lock(&queue.lock);
    queue.threads--;
    pthread_mutex_unlock(&queue.lock);
  }
  return error;
}

napi_value run_job_for_promise(napi_env env, struct job *job) {
  napi_value promise, name;
  pthread_t thread;
  if (napi_create_string_utf8(env, "hawser:job", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, settle, &job->done) != napi_ok) {
    job->discard(job);
    return throw_system_error(env, ENOMEM, "napi_create_threadsafe_function", NULL);
  }
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
    napi_release_threadsafe_function(job->done, napi_tsfn_abort);
    job->discard(job);
    return throw_system_error(env, ENOMEM, "napi_create_promise", NULL);
  }
  int error = job->resident ? enqueue(job) : start_thread(&thread, run_detached, job, true);
  if (error != 0) {
    napi_release_threadsafe_function(job->done, napi_tsfn_release);
    napi_reject_deferred(env, job->deferred, make_system_error(env, error, "pthread_create", NULL));
    job->discard(job);
  }
  return promise;
}
