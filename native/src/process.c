#include "process.h"

#include <sys/wait.h>

void process_reaped(struct process *process, int status) {
  process->pid = 0;
  process->reaped = true;
  process->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  process->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
