#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "complain.h"
#include "file.h"

void record_exit(const struct monitor *monitor) {
  if (monitor->start.exit_record == NULL) return;
  char code[NUMBER_SIZE], signal[NUMBER_SIZE], at[NUMBER_SIZE];
  char *line = join_text("code=", number_text(monitor->first.code, code),               //
                         " signal=", number_text(monitor->first.signal, signal),        //
                         " oom=", monitor->oom_killed ? "1" : "0",                      //
                         " exited-at=", number_text(monitor->exited_at, at), "\n", NULL);
  if (!write_atomic(AT_FDCWD, monitor->start.exit_record, line, monitor->start.durable)) {
    complain("cannot write the exit record", errno);
  }
  free(line);
}

void record_exec_exit(const struct monitor *monitor, const struct process *exec) {
  char *path = join_text("exec/", exec->exec_id, NULL);
  char code[NUMBER_SIZE];
  mkdirat(monitor->folder, "exec", 0700);
  if (!write_atomic(monitor->folder, path, number_text(exec->code, code), false)) {
    complain("cannot write an exec's exit code", errno);
  }
  free(path);
}
