#ifndef HAWSER_LOOP_H
#define HAWSER_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/*
 * The event loop: descriptors and deadlines. One event is taken from the kernel at a time, so that whoever handles it may
 * free any source, its own included, without a stale event coming after.
 */

struct source {
  /** -1: closed. */
  int fd;
  /** What epoll knows of it: 0 events may still mean "registered for hang-ups". */
  uint32_t events;
  bool watched;
  void (*ready)(struct source *source, uint32_t events);
};

struct timer {
  int64_t at_ms;
  struct timer *next;
  bool armed;
  void (*fire)(struct timer *timer);
};

struct loop {
  int epoll;
  struct timer *timers;
};

/** False with errno when the kernel has no more descriptors. */
bool loop_open(struct loop *loop);

/** Have `source->ready` called on these events (level-triggered), and always on EPOLLHUP and EPOLLERR. */
void loop_watch(struct loop *loop, struct source *source, uint32_t events);

/** No more calls, not even for hang-ups. Does nothing when not watched. */
void loop_unwatch(struct loop *loop, struct source *source);

/** Unwatch and close; does nothing when closed. */
void loop_close(struct loop *loop, struct source *source);

/** Call `timer->fire` once after `delay_ms`; arming again moves it. */
void loop_arm(struct loop *loop, struct timer *timer, int64_t delay_ms);

/** Does nothing when not armed. */
void loop_disarm(struct loop *loop, struct timer *timer);

/** Wait for one event or deadline and handle it. */
void loop_step(struct loop *loop);

/** Milliseconds of a clock that only goes forward. */
int64_t loop_now_ms(void);

/** The structure that has `member` at `pointer`. */
#define OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
