#ifndef HAWSER_COMPLAIN_H
#define HAWSER_COMPLAIN_H

/** Put a name before every later complaint of this process; `id` must stay valid. */
void complain_as(const char *id);

/** One line on standard error, which is the launcher's log: what could not be done and, unless 0, the error number's text. */
void complain(const char *what, int error);

/** The text of an error number; never NULL. */
const char *error_text(int error);

#endif
