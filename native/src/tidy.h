#ifndef HAWSER_TIDY_H
#define HAWSER_TIDY_H

#include "monitor.h"

/** The container has ended or never began: begin to remove all that is left of it. */
void tidy_begin(struct monitor *monitor);

/** Go on with it, if it is under way, as far as that goes without waiting. True when nothing is left. */
bool tidy_step(struct monitor *monitor);

#endif
