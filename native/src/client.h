#ifndef HAWSER_CLIENT_H
#define HAWSER_CLIENT_H

#include "buffer.h"
#include "frame.h"
#include "loop.h"
#include "scratch.h"

struct streams;

enum { DETACH_KEYS_MAX = 32 };

/** Output that waits for a client beyond this holds back the process. */
enum { CLIENT_SLACK = 1 << 20 };

/**
 * Somebody at the other end of a socket who reads a process' output and may write its input. One without a descriptor is a
 * place kept for a client: what it misses is queued, and it never ends by itself.
 */
struct client {
  struct client *next;
  struct client **link;
  struct loop *loop;
  struct scratch *scratch;
  /** NULL before it is attached and once its process has ended: what is queued is still written. */
  struct streams *streams;
  struct source source;
  bool wants[3];
  bool framed;
  bool input_open;
  bool hung_up;
  bool ending;
  struct buffer queue;
  unsigned char detach_keys[DETACH_KEYS_MAX];
  size_t detach_length;
  size_t detach_matched;
};

/** Read the stream keys of an `attach` or `exec` message into *client. NULL, or what is wrong with them. */
const char *client_parse(struct client *client, const struct frame *frame);

/** A copy of `parsed` on the heap that owns `fd`, a stream socket. It does nothing before streams_attach. */
struct client *client_open(const struct client *parsed, struct loop *loop, struct scratch *scratch, int fd);

/** The client whose place was kept comes, with input that it has sent already; it may be gone afterwards. */
void client_take_place(struct client *client, int fd, char *bytes, size_t length);

/** Queue bytes that come before all output. */
void client_answer(struct client *client, struct message *message);

/** Send or queue output of stream 1 or 2, if wanted. It never ends the client at once, so a list of them may be walked. */
void client_output(struct client *client, int stream, const char *text, size_t length);

/** Take `bytes` as if they had come from the client; the client may be gone afterwards. */
void client_input(struct client *client, char *bytes, size_t length);

/** Ask the loop for what the client can do now. To be called when its process' input begins or stops taking more. */
void client_update(struct client *client);

/** Nothing more will come for it: write what is queued, then close. It moves to the list `lingering` for as long as that takes. */
void client_end(struct client *client, struct client **lingering);

/** Let go of a client that was never attached and whose connection whoever handed it over goes on with. */
void client_release(struct client *client);

/** Close at once. */
void client_free(struct client *client);

void client_link(struct client *client, struct client **list);

#endif
