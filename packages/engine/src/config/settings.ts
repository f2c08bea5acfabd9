import { isIP } from "node:net";
import { parseReference } from "@hawser/oci";
import { isCidr } from "@hawser/registry/client";
import { findHostPort } from "./host-port.ts";
import {
  addressPools,
  count,
  features,
  object,
  pairs,
  runtimes,
  type SettingKind,
  size,
  text,
  texts,
  toggle,
  ulimits,
} from "./setting-kinds.ts";

/** One thing that the engine can be told, under the name that it has in the configuration file. */
export interface Setting {
  readonly kind: SettingKind<unknown>;
  /** The flag, where it has another name. */
  readonly flag?: string;
  readonly short?: string;
  /** What it means, of those that are not dockerd's. */
  readonly about?: string;
  /** Where it can be said; default: both. */
  readonly only?: "flag" | "file";
  /** It is taken and has no effect, because of this; said once in the log. */
  readonly without?: string;
}

const oneOf =
  (what: string, ...words: readonly string[]) =>
  (value: string) =>
    words.includes(value) ? undefined : `${what}: ${value}`;

const isAddress = (value: string) => (isIP(value) === 0 ? `${value} is not an ip address` : undefined);
const isLabel = (value: string) => (/^[^=]+=/.test(value) ? undefined : `bad attribute format: ${value}`);
const atLeast = (least: number, what: string) => (value: number) =>
  value < least ? `invalid ${what}: ${value}` : undefined;

/** dockerd's `registry.ValidateMirror`, but that a mirror may want a password. */
const isMirror = (value: string) => {
  const url = URL.parse(value);
  if (url === null) return `invalid mirror: "${value}" is not a valid URI`;
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return `invalid mirror: unsupported scheme "${url.protocol.slice(0, -1)}" in "${value}"`;
  if (url.search !== "" || url.hash !== "")
    return `invalid mirror: query or fragment at end of the URI "${value}"`;
  return undefined;
};

/** dockerd's: a host, or a network. */
const isInsecureRegistry = (value: string) => {
  const host = value.replace(/^https?:\/\//i, "");
  if (host.includes("://")) return `insecure registry ${value} should not contain '://'`;
  const isOne = host.includes("/") ? isCidr(host) : URL.canParse(`http://${host}`);
  return isOne ? undefined : `insecure registry ${value} is not valid: invalid host "${host}"`;
};

/** As references name it. */
const isRegistry = (value: string) => {
  const isOne = /^[A-Za-z0-9.-]+(:\d+)?$/.test(value) && parseReference(`${value}/x/y`).domain === value;
  return isOne ? undefined : `invalid registry: "${value}", docker.io or host:port was wanted`;
};
const isHostPort = (value: string) =>
  value === "" || findHostPort(value) !== undefined
    ? undefined
    : `invalid address: "${value}", host:port was wanted`;

const address = text((value) => (value === "" ? undefined : isAddress(value)));
const containerd = "there is no containerd below this engine";
const swarm = "there is no swarm";
const nftables = "packets are filtered by nftables, in a table of the engine's own";
const proxyless = "published ports are forwarded by the kernel";

/** All of them: dockerd's (28), then Hawser's own. */
export const settings = {
  help: { kind: toggle, only: "flag" },
  version: { kind: toggle, short: "v", only: "flag" },
  validate: { kind: toggle, only: "flag" },
  "config-file": { kind: text(), only: "flag" },

  "data-root": { kind: text() },
  "exec-root": { kind: text() },
  pidfile: { kind: text(), short: "p" },
  hosts: { kind: texts(), flag: "host", short: "H" },
  group: { kind: text(), short: "G" },
  debug: { kind: toggle, short: "D" },
  "log-level": {
    kind: text(oneOf("unable to parse logging level", "debug", "info", "warn", "error", "fatal")),
    short: "l",
  },
  "log-format": { kind: text(oneOf("invalid log format", "text", "json")) },
  "raw-logs": { kind: toggle, without: "the log has neither colours nor short times" },
  "shutdown-timeout": { kind: count() },
  "live-restore": { kind: toggle },
  labels: { kind: texts(isLabel), flag: "label" },
  features: { kind: features, flag: "feature" },
  experimental: { kind: toggle },
  tls: { kind: toggle },
  tlsverify: { kind: toggle },
  tlscacert: { kind: text() },
  tlscert: { kind: text() },
  tlskey: { kind: text() },

  runtimes: { kind: runtimes, flag: "add-runtime" },
  "default-runtime": { kind: text() },
  "runtime-deadline": {
    kind: count(atLeast(0, "runtime deadline")),
    about: "seconds that an OCI runtime may take to start a process (120; 0: for ever)",
  },
  "cgroup-parent": { kind: text() },
  init: { kind: toggle },
  "init-path": { kind: text() },
  "default-cgroupns-mode": {
    kind: text(oneOf("invalid default cgroup namespace", "", "host", "private")),
  },
  "default-ipc-mode": { kind: text(oneOf("IPC mode is not supported", "", "private", "shareable")) },
  "default-shm-size": { kind: size },
  "default-ulimits": { kind: ulimits, flag: "default-ulimit" },
  "no-new-privileges": { kind: toggle },
  "seccomp-profile": { kind: text() },
  "log-driver": { kind: text() },
  "log-opts": { kind: pairs, flag: "log-opt" },
  "userns-remap": { kind: text() },

  dns: { kind: texts(isAddress) },
  "dns-opts": { kind: texts(), flag: "dns-opt" },
  "dns-search": { kind: texts() },
  bridge: { kind: text(), short: "b" },
  bip: { kind: text() },
  bip6: { kind: text() },
  ipv6: { kind: toggle },
  "fixed-cidr": { kind: text() },
  "fixed-cidr-v6": { kind: text() },
  mtu: { kind: count(atLeast(0, "default MTU")) },
  ip: { kind: address },
  icc: { kind: toggle },
  "ip-masq": { kind: toggle },
  "default-address-pools": { kind: addressPools, flag: "default-address-pool" },

  "registry-mirrors": { kind: texts(isMirror), flag: "registry-mirror" },
  "insecure-registries": { kind: texts(isInsecureRegistry), flag: "insecure-registry" },
  "max-concurrent-downloads": { kind: count(atLeast(0, "max concurrent downloads")) },
  "max-concurrent-uploads": { kind: count(atLeast(0, "max concurrent uploads")) },
  "max-download-attempts": { kind: count(atLeast(0, "max download attempts")) },
  "http-proxy": { kind: text() },
  "https-proxy": { kind: text() },
  "no-proxy": { kind: text() },
  proxies: { kind: object, only: "file" },
  builder: { kind: object, only: "file" },

  "nft-table": { kind: text(), about: "the nftables table of this engine" },
  "published-past-firewall": { kind: toggle },
  "native-dir": { kind: text(), about: "folder of Hawser's native programs" },
  "builtin-images": { kind: text(), about: "folder of the built-in images' archives" },
  "registry-hosts": { kind: texts(), about: "folders that say more of registries, as containerd's certs.d" },
  "mirrored-registries": {
    kind: texts(isRegistry),
    flag: "mirrored-registry",
    about: "registries that this engine keeps copies of, as docker.io: what was pulled is had without them",
  },
  "mirror-address": {
    kind: text(isHostPort),
    about: "host:port at which other engines may pull what this one has copies of",
  },
  "registry-idle-timeout": {
    kind: count(atLeast(1, "registry idle timeout")),
    about: "seconds that a registry may be silent before it is asked again (60)",
  },
  "plugin-folder": { kind: texts(), about: "where volume plugins are looked for" },

  "storage-driver": { kind: text(), short: "s", without: "layers are put together by overlayfs" },
  "storage-opts": { kind: texts(), flag: "storage-opt", without: "overlayfs is used as it is" },
  "exec-opts": {
    kind: texts(),
    flag: "exec-opt",
    without: "cgroups are made by the OCI runtime (cgroupfs)",
  },
  "allow-nondistributable-artifacts": { kind: texts(), without: "all layers are pushed" },
  "authorization-plugins": {
    kind: texts(),
    flag: "authorization-plugin",
    without: "there are no plug-ins: whoever reaches the API may do all",
  },
  containerd: { kind: text(), without: containerd },
  "containerd-namespace": { kind: text(), without: containerd },
  "containerd-plugins-namespace": { kind: text(), without: containerd },
  "cri-containerd": { kind: toggle, without: containerd },
  "cdi-spec-dirs": { kind: texts(), flag: "cdi-spec-dir", without: "devices are not injected" },
  "cpu-rt-period": { kind: count(), without: "the real-time budget of the parent cgroup is the host's" },
  "cpu-rt-runtime": { kind: count(), without: "the real-time budget of the parent cgroup is the host's" },
  "default-gateway": { kind: address, without: "containers go out by the bridge's own address" },
  "default-gateway-v6": { kind: address, without: "containers go out by the bridge's own address" },
  "default-network-opts": {
    kind: object,
    flag: "default-network-opt",
    without: "networks have the options that they are made with",
  },
  "host-gateway-ip": { kind: address, without: "host-gateway is the default bridge's address" },
  "host-gateway-ips": {
    kind: texts(),
    only: "file",
    without: "host-gateway is the default bridge's address",
  },
  iptables: { kind: toggle, without: nftables },
  ip6tables: { kind: toggle, without: nftables },
  "firewall-backend": { kind: text(), without: nftables },
  "allow-direct-routing": { kind: toggle, without: "networks decide it by their gateway mode" },
  "bridge-accept-fwmark": { kind: text(), without: nftables },
  "ip-forward": { kind: toggle, without: "forwarding is switched on where a network needs it" },
  "ip-forward-no-drop": { kind: toggle, without: "the policy of FORWARD is left as it is" },
  "userland-proxy": { kind: toggle, without: proxyless },
  "userland-proxy-path": { kind: text(), without: proxyless },
  "metrics-addr": { kind: text(), without: "there are no metrics" },
  "network-control-plane-mtu": { kind: count(), without: swarm },
  "network-diagnostic-port": { kind: count(), without: swarm },
  "node-generic-resources": { kind: texts(), flag: "node-generic-resource", without: swarm },
  "swarm-default-advertise-addr": { kind: text(), without: swarm },
  "oom-score-adjust": { kind: count(), without: "the engine's score is its service manager's to set" },
  rootless: { kind: toggle, without: "the engine runs as root" },
  "selinux-enabled": { kind: toggle, without: "labels of SELinux are not set" },
  "deprecated-key-path": { kind: text(), only: "file", without: "it has no meaning any more" },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

/** What was said, by setting; what was not said is not there. */
export type Settings = {
  readonly [Name in SettingName]?: ReturnType<(typeof settings)[Name]["kind"]["fromFlags"]>;
};

/** Every setting with its name, for those who go through them. */
export const allSettings: readonly (readonly [SettingName, Setting])[] = Object.entries(settings) as [
  SettingName,
  Setting,
][];

export function flagOf([name, setting]: (typeof allSettings)[number]): string {
  return setting.flag ?? name;
}
