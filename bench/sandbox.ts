import { spawnSync } from "node:child_process";

const mark = "HAWSER_BENCH_SANDBOX";

/**
 * Go on in a network and a mount namespace of this run's own: engines that write iptables rules, bridges, mounts or files
 * below /run and /dev/shm find an empty place, all are treated alike, and the host stays as it is. Starts this program
 * again inside and ends with its exit code; inside, returns at once.
 */
export function enterSandbox(): void {
  if (process.env[mark] !== undefined) return;
  const script = [
    "ip link set lo up",
    "mount -t tmpfs tmpfs /run",
    "mount -t tmpfs tmpfs /dev/shm",
    "if [ -d /var/lib/cni ]; then mount -t tmpfs tmpfs /var/lib/cni; fi",
    // crun refuses hybrid hosts. Covered, not unmounted: crun makes folders in whatever is there instead.
    "if mountpoint -q /sys/fs/cgroup/unified; then mount -t tmpfs tmpfs /sys/fs/cgroup/unified; fi",
    'exec "$@"',
  ].join(" && ");
  const inside = ["sh", "-c", script, "sh", process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync("unshare", ["--net", "--mount", "--propagation", "private", ...inside], {
    stdio: "inherit",
    env: { ...process.env, [mark]: "1", PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  process.exit(status ?? 1);
}
