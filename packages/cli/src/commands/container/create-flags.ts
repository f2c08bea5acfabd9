import {
  boolFlag,
  bytesFlag,
  cpusFlag,
  durationFlag,
  intFlag,
  listFlag,
  mapFlag,
  parsedListFlag,
  stringFlag,
} from "../../flags/flag-kinds.ts";
import {
  checkDeviceCgroupRule,
  parseGpus,
  parseThrottleBps,
  parseThrottleIops,
  parseWeightDevice,
} from "../../options/device-option.ts";
import {
  checkLabel,
  checkLink,
  parseAttach,
  parseDnsSearch,
  parseExtraHost,
  parseIpAddress,
} from "../../options/host-option.ts";
import { parseMountOption } from "../../options/mount-option.ts";
import { parseNetworkOption } from "../../options/network-option.ts";
import { checkSysctl } from "../../options/sysctl-option.ts";
import { parseUlimit } from "../../options/ulimit-option.ts";
import { valueError } from "../../options/value-error.ts";

/**
 * What `run` and `create` share: the options that describe a container, with Docker's names, values and words. Options of
 * other systems are accepted and passed on; deprecated ones are accepted and hidden where Docker hides them.
 */
export const createFlags = {
  "add-host": listFlag("Add a custom host-to-IP mapping (host:ip)", { check: parseExtraHost }),
  annotation: mapFlag("Add an annotation to the container (passed through to the OCI runtime)"),
  attach: listFlag("Attach to STDIN, STDOUT or STDERR", { short: "a", check: parseAttach }),
  "blkio-weight": {
    ...intFlag("Block IO (relative weight), between 10 and 1000, or 0 to disable", {
      bits: 16,
      unsigned: true,
      typeName: "uint16",
    }),
    shownDefault: "0",
  },
  "blkio-weight-device": parsedListFlag("Block IO weight (relative device weight)", {
    typeName: "list",
    shownDefault: "[]",
    parseOne: parseWeightDevice,
  }),
  "cap-add": listFlag("Add Linux capabilities"),
  "cap-drop": listFlag("Drop Linux capabilities"),
  "cgroup-parent": stringFlag("Optional parent cgroup for the container"),
  cgroupns: stringFlag(
    "Cgroup namespace to use (host|private)\n'host':    Run the container in the Docker host's cgroup namespace\n'private': Run the container in its own private cgroup namespace\n'':        Use the cgroup namespace as configured by the\n           default-cgroupns-mode option on the daemon (default)",
  ),
  cidfile: stringFlag("Write the container ID to the file"),
  "cpu-count": intFlag("CPU count (Windows only)", { hidden: true }),
  "cpu-percent": intFlag("CPU percent (Windows only)", { hidden: true }),
  "cpu-period": intFlag("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": intFlag("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-rt-period": intFlag("Limit CPU real-time period in microseconds"),
  "cpu-rt-runtime": intFlag("Limit CPU real-time runtime in microseconds"),
  "cpu-shares": intFlag("CPU shares (relative weight)", { short: "c" }),
  cpus: cpusFlag("Number of CPUs"),
  "cpuset-cpus": stringFlag("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": stringFlag("MEMs in which to allow execution (0-3, 0,1)"),
  device: listFlag("Add a host device to the container"),
  "device-cgroup-rule": listFlag("Add a rule to the cgroup allowed devices list", {
    check: checkDeviceCgroupRule,
  }),
  "device-read-bps": parsedListFlag("Limit read rate (bytes per second) from a device", {
    typeName: "list",
    shownDefault: "[]",
    parseOne: parseThrottleBps,
  }),
  "device-read-iops": parsedListFlag("Limit read rate (IO per second) from a device", {
    typeName: "list",
    shownDefault: "[]",
    parseOne: parseThrottleIops,
  }),
  "device-write-bps": parsedListFlag("Limit write rate (bytes per second) to a device", {
    typeName: "list",
    shownDefault: "[]",
    parseOne: parseThrottleBps,
  }),
  "device-write-iops": parsedListFlag("Limit write rate (IO per second) to a device", {
    typeName: "list",
    shownDefault: "[]",
    parseOne: parseThrottleIops,
  }),
  "disable-content-trust": boolFlag("Skip image verification", { initial: true }),
  dns: listFlag("Set custom DNS servers", { check: parseIpAddress }),
  "dns-opt": listFlag("Set DNS options", { hidden: true }),
  "dns-option": listFlag("Set DNS options"),
  "dns-search": listFlag("Set custom DNS search domains", { check: parseDnsSearch }),
  domainname: stringFlag("Container NIS domain name"),
  entrypoint: stringFlag("Overwrite the default ENTRYPOINT of the image"),
  env: listFlag("Set environment variables", { short: "e", check: checkEnvironmentValue }),
  "env-file": listFlag("Read in a file of environment variables"),
  expose: listFlag("Expose a port or a range of ports"),
  gpus: parsedListFlag("GPU devices to add to the container ('all' to pass all GPUs)", {
    typeName: "gpu-request",
    parseOne: parseGpus,
  }),
  "group-add": listFlag("Add additional groups to join"),
  "health-cmd": stringFlag("Command to run to check health"),
  "health-interval": durationFlag("Time between running the check (ms|s|m|h)"),
  "health-retries": intFlag("Consecutive failures needed to report unhealthy"),
  "health-start-interval": durationFlag("Time between running the check during the start period (ms|s|m|h)"),
  "health-start-period": durationFlag(
    "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)",
  ),
  "health-timeout": durationFlag("Maximum time to allow one check to run (ms|s|m|h)"),
  help: boolFlag("Print usage"),
  hostname: stringFlag("Container host name", { short: "h" }),
  init: boolFlag("Run an init inside the container that forwards signals and reaps processes"),
  interactive: boolFlag("Keep STDIN open even if not attached", { short: "i" }),
  "io-maxbandwidth": bytesFlag("Maximum IO bandwidth limit for the system drive (Windows only)", {
    hidden: true,
  }),
  "io-maxiops": intFlag("Maximum IOps limit for the system drive (Windows only)", {
    unsigned: true,
    hidden: true,
  }),
  ip: stringFlag("IPv4 address (e.g., 172.30.100.104)"),
  ip6: stringFlag("IPv6 address (e.g., 2001:db8::33)"),
  ipc: stringFlag("IPC mode to use"),
  isolation: stringFlag("Container isolation technology"),
  "kernel-memory": bytesFlag("Kernel memory limit"),
  label: listFlag("Set meta data on a container", { short: "l", check: checkLabel }),
  "label-file": listFlag("Read in a line delimited file of labels"),
  link: listFlag("Add link to another container", { check: checkLink }),
  "link-local-ip": listFlag("Container IPv4/IPv6 link-local addresses"),
  "log-driver": stringFlag("Logging driver for the container"),
  "log-opt": listFlag("Log driver options"),
  "mac-address": stringFlag("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  memory: bytesFlag("Memory limit", { short: "m" }),
  "memory-reservation": bytesFlag("Memory soft limit"),
  "memory-swap": bytesFlag("Swap limit equal to memory plus swap: '-1' to enable unlimited swap", {
    allowMinusOne: true,
  }),
  "memory-swappiness": intFlag("Tune container memory swappiness (0 to 100)", { initial: -1 }),
  mount: parsedListFlag("Attach a filesystem mount to the container", {
    typeName: "mount",
    parseOne: parseMountOption,
  }),
  name: stringFlag("Assign a name to the container"),
  net: parsedListFlag("Connect a container to a network", {
    typeName: "network",
    hidden: true,
    parseOne: parseNetworkOption,
  }),
  "net-alias": listFlag("Add network-scoped alias for the container", { hidden: true }),
  network: parsedListFlag("Connect a container to a network", {
    typeName: "network",
    parseOne: parseNetworkOption,
  }),
  "network-alias": listFlag("Add network-scoped alias for the container"),
  "no-healthcheck": boolFlag("Disable any container-specified HEALTHCHECK"),
  "oom-kill-disable": boolFlag("Disable OOM Killer"),
  "oom-score-adj": intFlag("Tune host's OOM preferences (-1000 to 1000)"),
  pid: stringFlag("PID namespace to use"),
  "pids-limit": intFlag("Tune container pids limit (set -1 for unlimited)"),
  platform: stringFlag("Set platform if server is multi-platform capable"),
  privileged: boolFlag("Give extended privileges to this container"),
  publish: listFlag("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": boolFlag("Publish all exposed ports to random ports", { short: "P" }),
  quiet: boolFlag("Suppress the pull output", { short: "q" }),
  "read-only": boolFlag("Mount the container's root filesystem as read only"),
  restart: stringFlag("Restart policy to apply when a container exits", { initial: "no" }),
  rm: boolFlag("Automatically remove the container and its associated anonymous volumes when it exits"),
  runtime: stringFlag("Runtime to use for this container"),
  "security-opt": listFlag("Security Options"),
  "shm-size": bytesFlag("Size of /dev/shm"),
  "stop-signal": stringFlag("Signal to stop the container"),
  "stop-timeout": intFlag("Timeout (in seconds) to stop a container"),
  "storage-opt": listFlag("Storage driver options for the container"),
  sysctl: mapFlag("Sysctl options", { check: checkSysctl }),
  tmpfs: listFlag("Mount a tmpfs directory"),
  "use-api-socket": boolFlag("Bind mount Docker API socket and required auth"),
  tty: boolFlag("Allocate a pseudo-TTY", { short: "t" }),
  ulimit: parsedListFlag("Ulimit options", {
    typeName: "ulimit",
    shownDefault: "[]",
    parseOne: parseUlimit,
  }),
  user: stringFlag("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  userns: stringFlag("User namespace to use"),
  uts: stringFlag("UTS namespace to use"),
  volume: listFlag("Bind mount a volume", { short: "v" }),
  "volume-driver": stringFlag("Optional volume driver for the container"),
  "volumes-from": listFlag("Mount volumes from the specified container(s)"),
  workdir: stringFlag("Working directory inside the container", { short: "w" }),
} as const;

function checkEnvironmentValue(text: string): string {
  if (text === "" || text.startsWith("=")) throw valueError(`invalid environment variable: ${text}`);
  return text;
}
