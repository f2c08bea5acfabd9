#ifndef HAWSER_STUB_RELAY_H
#define HAWSER_STUB_RELAY_H

/**
 * Give the command to the resident client at the other end of `connection`, move its streams, signals and terminal, and end
 * this process as it says. Returns, with the connection closed, only when the resident client has not begun.
 */
void relay(int connection, char **arguments, int count);

#endif
