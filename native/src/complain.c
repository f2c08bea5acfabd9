#include "complain.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *name = "launcher";

void complain_as(const char *id) {
  name = id;
}

const char *error_text(int error) {
  const char *text = strerrordesc_np(error);
  return text == NULL ? "unknown error" : text;
}

static struct iovec piece(const char *text) {
  return (struct iovec){.iov_base = (char *)(unsigned long)text, .iov_len = strlen(text)};
}

void complain(const char *what, int error) {
  const struct iovec line[] = {
      piece("hawser "),
      piece(name),
      piece(": "),
      piece(what),
      piece(error == 0 ? "" : ": "),
      piece(error == 0 ? "" : error_text(error)),
      piece("\n"),
  };
  if (writev(STDERR_FILENO, line, sizeof line / sizeof *line) < 0) return; // nobody is left to be told
}
