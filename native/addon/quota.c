/* What a folder's files may take on the disk: project quotas, as xfs and ext4 have them. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { sector = 512 };

static int quota_control(int fd, unsigned command, uint32_t id, void *data) {
  return (int)syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data);
}

/* Whether limits of projects are more than numbers on this file system. */
static bool enforces(int fd) {
  struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
  if (quota_control(fd, Q_XGETQSTATV, 0, &state) != 0) return false;
  if ((state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0) return true;
  errno = EOPNOTSUPP;
  return false;
}

/* The folder, and whatever is made in it from now on, is of the project. */
static bool join_project(int fd, uint32_t project) {
  struct fsxattr attributes;
  if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return false;
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) == 0;
}

static bool limit_project(int fd, uint32_t project, uint64_t bytes) {
  struct fs_disk_quota quota = {
      .d_version = FS_DQUOT_VERSION,
      .d_id = project,
      .d_flags = FS_PROJ_QUOTA,
      .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT,
      .d_blk_hardlimit = bytes / sector,
      .d_blk_softlimit = bytes / sector,
  };
  return quota_control(fd, Q_XSETQLIM, project, &quota) == 0;
}

/* setProjectQuota(folder, project, bytes): 0 bytes: no limit any more. */
napi_value set_project_quota(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct text folder;
  double project, bytes;
  if (!take_arguments(env, info, 3, arguments) || !take_text(env, arguments[0], &folder) ||
      !take_double(env, arguments[1], &project) || !take_double(env, arguments[2], &bytes))
    return NULL;
  const int fd = open(folder.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return throw_system_error(env, errno, "open", folder.data);
  const bool done = enforces(fd) && limit_project(fd, (uint32_t)project, (uint64_t)bytes) &&
                    (bytes == 0 || join_project(fd, (uint32_t)project));
  const int error = errno;
  close(fd);
  return done ? make_undefined(env) : throw_system_error(env, error, "quotactl", folder.data);
}
