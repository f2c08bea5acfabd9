#include "scratch.h"

#include <link.h>
#include <stddef.h>
#include <sys/mman.h>

_Bool scratch_open(struct scratch *scratch) {
  scratch->bytes = mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return scratch->bytes != MAP_FAILED;
}

void scratch_trim(struct scratch *scratch) {
  madvise(scratch->bytes, SCRATCH_SIZE, MADV_DONTNEED);
}

static int trim_object(struct dl_phdr_info *object, size_t size, void *unused) {
  (void)size;
  (void)unused;
  const size_t page = 4096;
  for (size_t index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    // What can be written is not in the file.
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
    const size_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
    madvise((void *)start, object->dlpi_addr + segment->p_vaddr + segment->p_memsz - start, MADV_DONTNEED);
  }
  return 1; // the program itself comes first
}

void program_trim(void) {
  dl_iterate_phdr(trim_object, NULL);
}
