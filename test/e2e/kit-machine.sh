# The first process of a test's machine, in mount, pid, uts, ipc, net and cgroup namespaces of its own: makes the folder $1 its
# root, as a freshly booted machine would find it, and then only reaps. Host paths are gone afterwards.
set -e
top=$1
mount --make-rprivate /
mount --bind "$top" "$top"
mount -t proc proc "$top/proc"
mount -t sysfs sysfs "$top/sys"
mount --rbind /dev "$top/dev"
mount -t tmpfs -o mode=755 tmpfs "$top/run"
mount -t tmpfs -o mode=1777 tmpfs "$top/tmp"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$top/sys/fs/cgroup"
  mkdir "$top/sys/fs/cgroup/init"
  echo 1 >"$top/sys/fs/cgroup/init/cgroup.procs"
else
  mounts=$(grep ' /sys/fs/cgroup/' /proc/self/mounts)
  mount -t tmpfs -o mode=755 tmpfs "$top/sys/fs/cgroup"
  echo "$mounts" | while read -r _ target type options _; do
    mkdir "$top$target"
    mount -t "$type" -o "$options" "$type" "$top$target"
  done
fi
cd "$top"
mkdir -p .host
pivot_root . .host
umount -l /.host
rmdir /.host
hostname machine
echo up >/run/up
while :; do sleep 1; done
