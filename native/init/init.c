/*
 * hawser-init [--] program [argument...]
 *
 * Process 1 of a container that was asked for one (`--init`): starts the program in a process group of its own, in the
 * foreground of the terminal if there is one, hands signals on to it, reaps every orphan, and ends as the program ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

static void complain(const char *program, const char *why) {
  static const char name[] = "hawser-init: ";
  (void)!write(STDERR_FILENO, name, sizeof name - 1);
  (void)!write(STDERR_FILENO, program, strlen(program));
  (void)!write(STDERR_FILENO, ": ", 2);
  (void)!write(STDERR_FILENO, why, strlen(why));
  (void)!write(STDERR_FILENO, "\n", 1);
}

/** The program's own process: never returns. */
static _Noreturn void run(char **arguments, const sigset_t *mask) {
  setpgid(0, 0);
  // In the background of the terminal, asking for its foreground stops the asker, unless SIGTTOU is blocked, as it is here.
  tcsetpgrp(STDIN_FILENO, getpgrp());
  sigprocmask(SIG_SETMASK, mask, NULL);
  execvp(arguments[0], arguments);
  const int error = errno;
  const char *why = strerrordesc_np(error);
  complain(arguments[0], why == NULL ? "cannot be run" : why);
  _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE);
}

/** Reap all that have ended. The wait status of `program` in *status and true when it is among them. */
static bool reap(pid_t program, int *status) {
  bool ended = false;
  int one;
  for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;) {
    if (pid != program) continue;
    *status = one;
    ended = true;
  }
  return ended;
}

int main(int count, char **arguments) {
  int first = 1;
  if (first < count && strcmp(arguments[first], "--") == 0) first++;
  if (first >= count) {
    complain("no program", "usage: hawser-init [--] program [argument...]");
    return EXIT_NOT_FOUND;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1); // when it is not process 1

  // Faults of our own must stay deadly; everything else waits in line for sigwaitinfo.
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t all, before;
  sigfillset(&all);
  for (size_t index = 0; index < sizeof own / sizeof *own; index++) sigdelset(&all, own[index]);
  sigprocmask(SIG_SETMASK, &all, &before);

  const pid_t program = fork();
  if (program == 0) run(arguments + first, &before);
  if (program < 0) {
    complain(arguments[first], "cannot fork");
    return EXIT_NOT_RUNNABLE;
  }
  int status = 0;
  while (!reap(program, &status)) {
    siginfo_t info;
    const int number = sigwaitinfo(&all, &info);
    if (number <= 0 || number == SIGCHLD) continue;
    // The terminal's word to the background is ours alone.
    if (number == SIGTTIN || number == SIGTTOU) continue;
    kill(program, number);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
