#ifndef HAWSER_RUNTIME_H
#define HAWSER_RUNTIME_H

#include "monitor.h"

/*
 * The OCI runtime's program. Each call starts it and returns NULL, or says why it could not, in text that the caller frees.
 */

/** `run --detach`: sets monitor->first.runtime. */
char *runtime_run(struct monitor *monitor);

/** `exec --detach` of the process that a file describes: sets exec->runtime. */
char *runtime_exec(struct monitor *monitor, struct process *exec, const char *file, bool tty, const bool wants[3]);

/** `delete --force`: sets monitor->deleting. */
char *runtime_delete(struct monitor *monitor);

/** Kill the program that starts `process`, which is to be there: `runtime_ended` says then that the start was given up. */
void runtime_give_up(struct process *process);

/**
 * The program that started `process` has ended with `status`: learn the process' id, into process->pid. NULL, or the
 * runtime's own words for why there is none, which the caller frees.
 */
char *runtime_ended(struct monitor *monitor, struct process *process, int status);

#endif
