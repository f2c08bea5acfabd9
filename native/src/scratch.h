#ifndef HAWSER_SCRATCH_H
#define HAWSER_SCRATCH_H

/** How much is read from a stream at once: what a pipe holds. */
enum { SCRATCH_SIZE = 64 * 1024 };

/**
 * The one place that streams are read into; whoever reads has passed everything on before it returns to the loop. Mapped,
 * so that an idle monitor owns no page of it.
 */
struct scratch {
  char *bytes;
};

/** False with errno. */
_Bool scratch_open(struct scratch *scratch);

/** Give its pages back. */
void scratch_trim(struct scratch *scratch);

/**
 * Give back the program's own pages, which come back one by one as they are used: the kernel maps a page's neighbours
 * along, so that starting a container leaves most of the program mapped.
 */
void program_trim(void);

#endif
