#ifndef HAWSER_RECORD_H
#define HAWSER_RECORD_H

#include "monitor.h"

/** Write the container's exit record, if one is wanted. */
void record_exit(const struct monitor *monitor);

/** Write `<dir>/exec/<exec id>`. */
void record_exec_exit(const struct monitor *monitor, const struct process *exec);

#endif
