#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "hello.h"

/*
 * Frames, both ways: a letter, the number of bytes as 32 bits with the highest first, the bytes.
 * See docs/contracts/resident-client.md for what the letters mean.
 */
enum { HEAD = 5, PIECE = 65536, ACCEPT_MS = 3000 };

enum { EXIT_LOST = 125, EXIT_READER_GONE = 141 };

static int connection;
static struct termios cooked;
static bool is_raw;
static volatile sig_atomic_t pending[NSIG];

static void restore_terminal(void) {
  if (is_raw) tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
  is_raw = false;
}

static _Noreturn void leave(int code) {
  restore_terminal();
  _exit(code);
}

static _Noreturn void lost(void) {
  static const char words[] = "hawser: the resident client ended early; what the command had begun goes on without it\n";
  (void)!write(STDERR_FILENO, words, sizeof words - 1);
  leave(EXIT_LOST);
}

/* To the resident client */

static bool send_all(const void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    const ssize_t sent = send(connection, (const char *)bytes + done, length - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    done += (size_t)sent;
  }
  return true;
}

static bool send_frame(char kind, const void *bytes, size_t length) {
  char head[HEAD] = {kind};
  const uint32_t size = htonl((uint32_t)length);
  memcpy(head + 1, &size, sizeof size);
  return send_all(head, sizeof head) && send_all(bytes, length);
}

static void send_size(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  const uint16_t numbers[] = {htons(size.ws_row), htons(size.ws_col)};
  send_frame('W', numbers, sizeof numbers);
}

static void send_signals(void) {
  for (int number = 1; number < NSIG; number++) {
    if (pending[number] == 0) continue;
    pending[number] = 0;
    if (number == SIGWINCH) send_size();
    else send_frame('S', &(uint8_t){(uint8_t)number}, 1);
  }
}

static void note(int number) {
  pending[number] = 1;
}

/** Note these signals from now on; the others do again what they do by themselves. */
static void listen_for(const uint8_t *numbers, size_t count) {
  static bool noted[NSIG];
  bool wanted[NSIG] = {false};
  for (size_t index = 0; index < count; index++) {
    if (numbers[index] > 0 && numbers[index] < NSIG) wanted[numbers[index]] = true;
  }
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGWINCH);
  for (int number = 1; number < NSIG; number++) {
    if (wanted[number]) sigaddset(&blocked, number);
    if (wanted[number] == noted[number]) continue;
    noted[number] = wanted[number];
    sigaction(number, &(struct sigaction){.sa_handler = wanted[number] ? note : SIG_DFL}, NULL);
  }
  // What is noted comes only while we wait: nothing is cut in two, and nothing is missed.
  sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/** Wait, with signals let in. False after a signal. */
static bool wait_for(struct pollfd *files, nfds_t count, int timeout_ms) {
  const struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
  sigset_t none;
  sigemptyset(&none);
  const int ready = ppoll(files, count, timeout_ms < 0 ? NULL : &limit, &none);
  send_signals();
  return ready > 0;
}

/* To the user */

/** A reader that takes its time, or is stopped, keeps nobody's signals from us: so much always fits when poll says so. */
static size_t fitting(int fd, size_t length) {
  struct stat status;
  const bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  return is_file || length < PIPE_BUF ? length : PIPE_BUF;
}

static void put(int fd, const char *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    struct pollfd file = {.fd = fd, .events = POLLOUT};
    if (!wait_for(&file, 1, -1)) continue;
    const ssize_t written = write(fd, bytes + done, fitting(fd, length - done));
    if (written >= 0) done += (size_t)written;
    else if (errno == EPIPE) leave(EXIT_READER_GONE); // where SIGPIPE is ignored
    else if (errno != EINTR && errno != EAGAIN) return; // as with any program: nobody is left to be told
  }
}

static void set_raw(bool raw) {
  if (!raw) restore_terminal();
  if (!raw || is_raw || tcgetattr(STDIN_FILENO, &cooked) != 0) return;
  struct termios own = cooked;
  cfmakeraw(&own);
  is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &own) == 0;
}

/* From the resident client */

struct incoming {
  char head[HEAD];
  char *bytes;
  size_t got;
  size_t length;
};

static char piece[PIECE];

/** The next frame, whole; output comes in pieces of at most PIECE. False at the end. */
static bool read_frame(struct incoming *frame) {
  while (frame->got < HEAD + frame->length) {
    char *place = frame->got < HEAD ? frame->head + frame->got : frame->bytes + frame->got - HEAD;
    const size_t wanted = frame->got < HEAD ? HEAD - frame->got : HEAD + frame->length - frame->got;
    struct pollfd file = {.fd = connection, .events = POLLIN};
    if (!wait_for(&file, 1, -1)) continue;
    const ssize_t got = read(connection, place, wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    frame->got += (size_t)got;
    if (frame->got != HEAD) continue;
    uint32_t size;
    memcpy(&size, frame->head + 1, sizeof size);
    frame->length = ntohl(size);
    if (frame->length > PIECE) return false;
  }
  return true;
}

static uint32_t credit;

static void act(const struct incoming *frame) {
  switch (frame->head[0]) {
    case 'O':
      put(STDOUT_FILENO, frame->bytes, frame->length);
      return;
    case 'R':
      put(STDERR_FILENO, frame->bytes, frame->length);
      return;
    case 'N':
      credit = 1;
      return;
    case 'L':
      listen_for((const uint8_t *)frame->bytes, frame->length);
      return;
    case 'T':
      set_raw(frame->length == 1 && frame->bytes[0] == 1);
      return;
    case 'X':
      leave(frame->length == 1 ? (uint8_t)frame->bytes[0] : EXIT_LOST);
    default:
      lost();
  }
}

/** One piece of input, as asked for; its end once. */
static void send_input(void) {
  static char input[PIECE];
  const ssize_t got = read(STDIN_FILENO, input, sizeof input);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  credit = 0;
  if (got > 0) send_frame('I', input, (size_t)got);
  else send_frame('E', "", 0);
}

static _Noreturn void serve(void) {
  listen_for(NULL, 0);
  sigaction(SIGWINCH, &(struct sigaction){.sa_handler = note}, NULL);
  for (;;) {
    struct pollfd files[] = {{.fd = connection, .events = POLLIN}, {.fd = credit > 0 ? STDIN_FILENO : -1, .events = POLLIN}};
    if (!wait_for(files, 2, -1)) continue;
    if (files[0].revents != 0) {
      struct incoming frame = {.bytes = piece};
      if (!read_frame(&frame)) lost();
      act(&frame);
    }
    if (files[1].revents != 0) send_input();
  }
}

void relay(int fd, char **arguments, int count) {
  connection = fd;
  struct text hello = {0};
  char answer[HEAD] = {0};
  const struct timeval patience = {.tv_sec = ACCEPT_MS / 1000};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const bool greeted = hello_write(&hello, arguments, count) && send_frame('H', hello.data, hello.length) &&
                       recv(connection, answer, sizeof answer, MSG_WAITALL) == sizeof answer && answer[0] == 'A';
  free(hello.data);
  const struct timeval forever = {0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever);
  // Before this frame the resident client does nothing; so a command is never done twice.
  if (greeted) {
    if (isatty(STDOUT_FILENO)) send_size();
    if (send_frame('G', "", 0)) serve();
  }
  close(connection);
}
