#include "hello.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool add(struct text *text, const char *bytes, size_t length) {
  char *data = realloc(text->data, text->length + length);
  if (data == NULL) return false;
  memcpy(data + text->length, bytes, length);
  text->data = data;
  text->length += length;
  return true;
}

static bool add_text(struct text *text, const char *value) {
  return add(text, value, strlen(value) + 1);
}

/** Lines of /proc/self/status by which two processes of one user may differ in what they may do or how. */
static const char *const marks[] = {"Umask:", "Uid:", "Gid:", "Groups:", "CapEff:", "NoNewPrivs:", "Seccomp:"};

static bool is_mark(const char *line) {
  for (size_t index = 0; index < sizeof marks / sizeof *marks; index++) {
    if (strncmp(line, marks[index], strlen(marks[index])) == 0) return true;
  }
  return false;
}

/** Those lines, the namespaces, the root folder: equal texts mean that one process can do the other's work. */
static bool add_identity(struct text *text) {
  static const char *const namespaces[] = {"mnt", "net", "user", "pid"};
  char line[8192];
  FILE *status = fopen("/proc/self/status", "re");
  if (status == NULL) return false;
  bool done = true;
  while (done && fgets(line, sizeof line, status) != NULL) {
    if (is_mark(line)) done = add(text, line, strlen(line));
  }
  fclose(status);
  for (size_t index = 0; done && index < sizeof namespaces / sizeof *namespaces; index++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[index]);
    const ssize_t length = readlink(path, line, sizeof line);
    done = length > 0 && add(text, line, (size_t)length);
  }
  struct stat root;
  if (!done || stat("/", &root) != 0) return false;
  snprintf(line, sizeof line, " %ju:%ju", (uintmax_t)root.st_dev, (uintmax_t)root.st_ino);
  return add_text(text, line);
}

bool hello_write(struct text *hello, char **arguments, int count) {
  char folder[PATH_MAX], number[16];
  if (getcwd(folder, sizeof folder) == NULL || folder[0] != '/') return false;
  const char terminals[] = {isatty(0) ? '1' : '0', isatty(1) ? '1' : '0', isatty(2) ? '1' : '0', '\0'};
  snprintf(number, sizeof number, "%d", count);
  bool done = add_text(hello, "1") && add_identity(hello) && add_text(hello, terminals) && add_text(hello, folder) &&
              add_text(hello, number);
  for (int index = 0; done && index < count; index++) done = add_text(hello, arguments[index]);
  for (char **variable = environ; done && *variable != NULL; variable++) done = add_text(hello, *variable);
  return done;
}
