/*
 * hawser-keeper <program> [argument...]
 *
 * Keeps descriptors for an engine that may die. Descriptor 3 is the connection to it; 4 a file that is locked, for as long as
 * it is open, and gets the process id. A message of the engine's is a sign and a key of 64 characters: `+` comes with the
 * descriptors to keep under the key, `-` has them closed. When the connection ends this process becomes the program, with a
 * further argument for each key: `key:descriptor:descriptor`. With nothing kept it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENGINE = 3, LOCK = 4, KEY_SIZE = 64, MESSAGE_SIZE = 1 + KEY_SIZE, KEPT = 2 };

struct entry {
  char key[KEY_SIZE];
  int descriptors[KEPT];
};

static struct entry *entries;
static size_t count, room;

static _Noreturn void fail(const char *what) {
  perror(what);
  _exit(EXIT_FAILURE);
}

static void forget(const char *key) {
  for (size_t i = 0; i < count; i++) {
    if (memcmp(entries[i].key, key, KEY_SIZE) != 0) continue;
    for (size_t d = 0; d < KEPT; d++) close(entries[i].descriptors[d]);
    entries[i] = entries[--count];
    return;
  }
}

static void keep(const char *key, const int *descriptors) {
  forget(key);
  if (count == room) {
    room = room == 0 ? 16 : room * 2;
    entries = realloc(entries, room * sizeof *entries);
    if (entries == NULL) fail("hawser-keeper: realloc");
  }
  memcpy(entries[count].key, key, KEY_SIZE);
  memcpy(entries[count].descriptors, descriptors, sizeof entries[count].descriptors);
  count++;
}

/** One message; false when the engine is gone. Descriptors that this process could not take are not kept. */
static bool receive(void) {
  char message[MESSAGE_SIZE];
  int descriptors[KEPT] = {-1, -1};
  bool whole = false;
  for (size_t got = 0; got < sizeof message;) {
    union {
      struct cmsghdr header;
      char space[CMSG_SPACE(sizeof descriptors)];
    } control;
    struct iovec rest = {.iov_base = message + got, .iov_len = sizeof message - got};
    struct msghdr header = {
        .msg_iov = &rest, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    const ssize_t size = recvmsg(ENGINE, &header, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    got += (size_t)size;
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(sizeof descriptors)) continue;
    memcpy(descriptors, CMSG_DATA(rights), sizeof descriptors);
    whole = true;
  }
  if (message[0] == '-') forget(message + 1);
  else if (whole) keep(message + 1, descriptors);
  return true;
}

/** Every key is an argument of its own after those of the program's. */
static _Noreturn void become(int given, char **program) {
  enum { ARGUMENT_SIZE = KEY_SIZE + KEPT * 12 + 1 };
  char **arguments = calloc((size_t)given + count + 1, sizeof *arguments);
  char *texts = calloc(count, ARGUMENT_SIZE);
  if (arguments == NULL || texts == NULL) fail("hawser-keeper: calloc");
  memcpy(arguments, program, (size_t)given * sizeof *arguments);
  for (size_t i = 0; i < count; i++) {
    char *text = texts + i * ARGUMENT_SIZE;
    const struct entry *entry = &entries[i];
    snprintf(text, ARGUMENT_SIZE, "%.*s:%d:%d", KEY_SIZE, entry->key, entry->descriptors[0], entry->descriptors[1]);
    for (size_t d = 0; d < KEPT; d++) fcntl(entry->descriptors[d], F_SETFD, 0);
    arguments[given + (int)i] = text;
  }
  close(ENGINE);
  execv(program[0], arguments);
  fail(program[0]);
}

int main(int given, char **arguments) {
  if (given < 2) {
    (void)!write(STDERR_FILENO, "usage: hawser-keeper <program> [argument...]\n", 45);
    return 2;
  }
  // The engine's libraries have sockets that whatever starts at that moment inherits, and with them their namespaces.
  if (close_range(LOCK + 1, ~0U, 0) != 0) fail("hawser-keeper: close_range");
  char number[16];
  const int size = snprintf(number, sizeof number, "%d\n", getpid());
  if (pwrite(LOCK, number, (size_t)size, 0) != size) fail("hawser-keeper: cannot say who it is");
  fcntl(ENGINE, F_SETFD, FD_CLOEXEC);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  while (receive())
    ;
  if (count > 0) become(given - 1, arguments + 1);
  return EXIT_SUCCESS;
}
