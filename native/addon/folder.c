/* A folder with what each thing in it is, in one call: of ten thousand files, calls cost more than files. */
#include "addon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for one record beside its name: seven numbers. */
enum { ATTRIBUTES_MAX = 192 };

struct records {
  unsigned char *data;
  size_t size, room;
};

static bool make_room(struct records *records, size_t more) {
  if (records->room - records->size >= more) return true;
  size_t room = records->room * 2 > records->size + more ? records->room * 2 : records->size + more;
  unsigned char *data = realloc(records->data, room);
  if (data == NULL) return false;
  records->data = data;
  records->room = room;
  return true;
}

static bool add_record(struct records *records, const char *name, const struct stat *file) {
  const size_t length = strlen(name) + 1;
  if (!make_room(records, length + ATTRIBUTES_MAX)) return false;
  memcpy(records->data + records->size, name, length);
  records->size += length;
  /* Never cut short: seven numbers of at most 20 digits. */
  records->size += 1 + (size_t)snprintf((char *)records->data + records->size, ATTRIBUTES_MAX,
                                        "%u %u %u %jd %jd%09ld %jd%09ld %ju", file->st_mode, file->st_uid, file->st_gid,
                                        (intmax_t)file->st_size, (intmax_t)file->st_mtim.tv_sec, file->st_mtim.tv_nsec,
                                        (intmax_t)file->st_ctim.tv_sec, file->st_ctim.tv_nsec, (uintmax_t)file->st_ino);
  return true;
}

/* What vanishes on the way is left out. 0 or an errno. */
static int read_records(DIR *folder, struct records *records) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (entry == NULL) return errno;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    struct stat file;
    if (fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    if (!add_record(records, entry->d_name, &file)) return ENOMEM;
  }
}

/* statFolder(path): Uint8Array, for each entry its name, NUL, "mode uid gid size mtimeNs ctimeNs inode", NUL */
napi_value stat_folder(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct text path;
  if (!take_arguments(env, info, 1, arguments) || !take_text(env, arguments[0], &path)) return NULL;
  int fd = open(path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return throw_system_error(env, errno, "open", path.data);
  DIR *folder = fdopendir(fd);
  if (folder == NULL) {
    int error = errno;
    close(fd);
    return throw_system_error(env, error, "fdopendir", path.data);
  }
  struct records records = {0};
  int error = read_records(folder, &records);
  closedir(folder);
  napi_value value = error == 0 ? make_bytes(env, &(struct bytes){.data = records.data, .size = records.size})
                                : throw_system_error(env, error, "readdir", path.data);
  free(records.data);
  return value;
}
