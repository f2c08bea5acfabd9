#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "complain.h"

bool loop_open(struct loop *loop) {
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  return loop->epoll >= 0;
}

void loop_watch(struct loop *loop, struct source *source, uint32_t events) {
  if (source->watched && source->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_ctl(loop->epoll, source->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd, &event) != 0) {
    complain("epoll_ctl", errno);
    abort();
  }
  source->watched = true;
  source->events = events;
}

void loop_unwatch(struct loop *loop, struct source *source) {
  if (!source->watched) return;
  epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
  source->watched = false;
  source->events = 0;
}

void loop_close(struct loop *loop, struct source *source) {
  if (source->fd < 0) return;
  loop_unwatch(loop, source);
  close(source->fd);
  source->fd = -1;
}

int64_t loop_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void loop_arm(struct loop *loop, struct timer *timer, int64_t delay_ms) {
  loop_disarm(loop, timer);
  timer->at_ms = loop_now_ms() + delay_ms;
  timer->armed = true;
  timer->next = loop->timers;
  loop->timers = timer;
}

void loop_disarm(struct loop *loop, struct timer *timer) {
  if (!timer->armed) return;
  timer->armed = false;
  for (struct timer **link = &loop->timers; *link != NULL; link = &(*link)->next) {
    if (*link != timer) continue;
    *link = timer->next;
    return;
  }
}

static struct timer *first_timer(const struct loop *loop) {
  struct timer *first = loop->timers;
  for (struct timer *timer = first; timer != NULL; timer = timer->next) {
    if (timer->at_ms < first->at_ms) first = timer;
  }
  return first;
}

void loop_step(struct loop *loop) {
  struct timer *timer = first_timer(loop);
  int timeout = -1;
  if (timer != NULL) {
    const int64_t left = timer->at_ms - loop_now_ms();
    timeout = left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
  }
  struct epoll_event event;
  const int count = epoll_wait(loop->epoll, &event, 1, timeout);
  if (count < 0 && errno != EINTR) {
    complain("epoll_wait", errno);
    abort();
  }
  if (count > 0) {
    struct source *source = event.data.ptr;
    source->ready(source, event.events);
  }
  timer = first_timer(loop); // the handler may have freed the one from before
  if (timer != NULL && timer->at_ms <= loop_now_ms()) {
    loop_disarm(loop, timer);
    timer->fire(timer);
  }
}
