/*
 * System call policies to BPF programs, by libseccomp, which OCI runtimes use as well. It is loaded when first needed: a
 * machine without it runs containers all the same, with the runtime compiling for each start.
 */
#include "addon.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* struct scmp_arg_cmp of seccomp.h */
struct comparison {
  unsigned int argument;
  int operator;
  uint64_t value;
  uint64_t value_two;
};

enum { ARGUMENTS_MAX = 6, NO_SYSTEM_CALL = -1 };

/* SCMP_FLTATR_CTL_OPTIMIZE of seccomp.h, and its value for a binary tree of the system calls (libseccomp 2.5) */
enum { OPTIMIZE = 8, BINARY_TREE = 2 };

struct library {
  void *(*init)(uint32_t action);
  void (*release)(void *context);
  int (*attribute_set)(void *context, int attribute, uint32_t value);
  int (*arch_add)(void *context, uint32_t architecture);
  int (*resolve_name)(const char *name);
  int (*rule_add)(void *context, uint32_t action, int number, unsigned int count, const struct comparison *comparisons);
  int (*export_bpf)(const void *context, int fd);
};

struct compile {
  struct job job;
  struct bytes policy;
  struct bytes program;
};

static bool find(void *handle, const char *name, void *function) {
  void *found = dlsym(handle, name);
  memcpy(function, &found, sizeof found); // ISO C has no conversion from object to function pointer
  return found != NULL;
}

/* The handle stays open: the library is wanted again for the next policy. */
static bool load(struct library *library) {
  void *handle = dlopen("libseccomp.so.2", RTLD_NOW | RTLD_LOCAL);
  return handle != NULL && find(handle, "seccomp_init", &library->init) &&
         find(handle, "seccomp_release", &library->release) && find(handle, "seccomp_attr_set", &library->attribute_set) &&
         find(handle, "seccomp_arch_add", &library->arch_add) &&
         find(handle, "seccomp_syscall_resolve_name", &library->resolve_name) &&
         find(handle, "seccomp_rule_add_array", &library->rule_add) &&
         find(handle, "seccomp_export_bpf", &library->export_bpf);
}

/* The next word of a line as a number; false when there is none. */
static bool next_number(char **rest, uint64_t *value) {
  const char *word = strsep(rest, " ");
  if (word == NULL) return false;
  *value = strtoull(word, NULL, 10);
  return true;
}

/* `rule <action> <system call> {<argument> <operator> <value> <second value>}`: what this kernel does not know is left out. */
static int add_rule(const struct library *library, void *context, char *rest) {
  uint64_t action = 0;
  if (!next_number(&rest, &action) || rest == NULL) return -EINVAL;
  const int number = library->resolve_name(strsep(&rest, " "));
  if (number == NO_SYSTEM_CALL) return 0;
  struct comparison comparisons[ARGUMENTS_MAX];
  unsigned int count = 0;
  uint64_t argument, operator;
  while (next_number(&rest, &argument)) {
    if (count == ARGUMENTS_MAX || !next_number(&rest, &operator)) return -EINVAL;
    struct comparison *comparison = &comparisons[count++];
    *comparison = (struct comparison){.argument = (unsigned int)argument, .operator = (int)operator};
    if (!next_number(&rest, &comparison->value) || !next_number(&rest, &comparison->value_two)) return -EINVAL;
  }
  return library->rule_add(context, (uint32_t)action, number, count, comparisons);
}

static int add_line(const struct library *library, void *context, char *line) {
  char *rest = line;
  const char *kind = strsep(&rest, " ");
  if (strcmp(kind, "rule") == 0) return add_rule(library, context, rest);
  uint64_t architecture;
  if (strcmp(kind, "arch") != 0 || !next_number(&rest, &architecture)) return -EINVAL;
  const int result = library->arch_add(context, (uint32_t)architecture);
  return result == -EEXIST ? 0 : result; // the machine's own is there from the beginning
}

static int export_program(const struct library *library, const void *context, struct bytes *program) {
  const int fd = memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  int result = library->export_bpf(context, fd);
  struct stat status;
  if (result == 0 && fstat(fd, &status) != 0) result = -errno;
  if (result == 0) {
    program->size = (size_t)status.st_size;
    program->data = malloc(program->size);
    if (program->data == NULL) result = -ENOMEM;
    else if (pread(fd, program->data, program->size, 0) != status.st_size) result = -EIO;
  }
  close(fd);
  return result;
}

/* The first line is `default <action>`. */
static int compile(const struct library *library, char *text, struct bytes *program) {
  char *line = strsep(&text, "\n");
  uint64_t action;
  if (strncmp(line, "default ", 8) != 0) return -EINVAL;
  line += 8;
  if (!next_number(&line, &action)) return -EINVAL;
  void *context = library->init((uint32_t)action);
  if (context == NULL) return -EINVAL;
  // At each start the kernel walks the program once for every system call: along a list that costs it a millisecond. An
  // older library refuses and makes the list.
  library->attribute_set(context, OPTIMIZE, BINARY_TREE);
  int result = 0;
  while (result == 0 && (line = strsep(&text, "\n")) != NULL) {
    if (*line != '\0') result = add_line(library, context, line);
  }
  if (result == 0) result = export_program(library, context, program);
  library->release(context);
  return result;
}

static void run(struct job *job) {
  struct compile *self = (struct compile *)job;
  struct library library;
  char *text = NULL;
  int result = -ENOENT;
  if (load(&library)) {
    text = strndup((const char *)self->policy.data, self->policy.size);
    result = text == NULL ? -ENOMEM : compile(&library, text, &self->program);
  }
  free(text);
  if (result == 0) return;
  errno = -result;
  job_failed(job, "seccomp");
}

static napi_value result(napi_env env, struct job *job) {
  return make_bytes(env, &((struct compile *)job)->program);
}

static void discard(struct job *job) {
  struct compile *self = (struct compile *)job;
  bytes_free(&self->policy);
  free(self->program.data);
  free(self);
}

napi_value compile_seccomp(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  if (!take_arguments(env, info, 1, arguments)) return NULL;
  struct compile *self = calloc(1, sizeof *self);
  if (self == NULL) return throw_system_error(env, ENOMEM, "malloc", NULL);
  if (!take_bytes_copy(env, arguments[0], &self->policy)) {
    free(self);
    return NULL;
  }
  self->job = (struct job){.run = run, .result = result, .discard = discard};
  return run_job_for_promise(env, &self->job);
}
