import { commands, groups } from "../../command-table.ts";
import type { Flag } from "../../flags/flag.ts";

/** What else is asked for in words: not what a user's machine has. */
const skippedPaths = new Set([
  // their answers never end
  "system events",
  "system dial-stdio",
  // their words are a registry's, a plugin's, or of the engine's machine
  "login",
  "logout",
  "version",
  "system info",
  "completion",
]);

/** Commands of ours that docker does not have. */
export const ownPaths: ReadonlySet<string> = new Set([
  "builder export",
  "builder import",
  "completion",
  "volume clone",
  "volume export",
  "volume import",
]);

/** Commands that docker gives to a plugin. */
const pluginPaths = new Set(["builder build", "builder prune", "image build"]);

const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  "container ls --all":
    "ID Names Image Command CreatedAt RunningFor Platform Ports State Status Size Labels Mounts LocalVolumes Networks".split(
      " ",
    ),
  "image ls": "ID Repository Tag Digest CreatedSince CreatedAt Size SharedSize UniqueSize Containers".split(
    " ",
  ),
  "volume ls": "Name Driver Scope Mountpoint Labels Links Size Availability Group Status".split(" "),
  "network ls": "ID Name Driver Scope IPv4 IPv6 Internal Labels CreatedAt".split(" "),
  "context ls": "Name Description DockerEndpoint Current Error".split(" "),
  "system df": "Type TotalCount Active Size Reclaimable".split(" "),
  "container stats --no-stream": "Container Name ID CPUPerc MemUsage MemPerc NetIO BlockIO PIDs".split(" "),
  "image history busybox": "ID CreatedSince CreatedAt CreatedBy Size Comment".split(" "),
  "search busybox": "Name Description StarCount IsOfficial IsAutomated".split(" "),
};

const labels = ["container ls --all", "volume ls", "network ls"];

/**
 * What both clients are called with, in order, in one folder of settings: help, wrong options, wrong arguments, lists in every
 * format. Made from our own table of commands, so that a command or option that comes is compared from then on.
 */
export async function clientCalls(): Promise<readonly (readonly string[])[]> {
  const calls: string[][] = Object.keys(groups).map((group) => [group, "--help"]);
  calls.push(["container", "nope"], ["--nope"], ["nope"], ["help", "container", "ls"]);
  for (const { path, load } of commands) {
    if (ownPaths.has(path) || pluginPaths.has(path)) continue;
    const words = path.split(" ");
    calls.push([...words, "--help"]);
    if (skippedPaths.has(path)) continue;
    const { command } = await load();
    const { min, max } = command.arguments;
    calls.push([...words, "--nope"], [...words, "-Z"], [...words, "--nope=1", "a"]);
    if (min > 0) calls.push(words);
    if (min > 1) calls.push([...words, "a"]);
    if (max !== undefined) calls.push([...words, ...Array.from({ length: max + 1 }, () => "a")]);
    for (const [name, flag] of Object.entries(command.flags))
      calls.push(...wrongValues(name, flag).map((wrong) => [...words, wrong]));
  }
  calls.push(
    [
      "context",
      "create",
      "remote",
      "--description",
      "A description",
      "--docker",
      "host=tcp://127.0.0.1:2376",
    ],
    ["context", "create", "remote"],
    ["context", "create", "default"],
    ["context", "create", "a b"],
    ["context", "inspect", "remote", "--format", "{{json .Endpoints}}"],
    ["context", "inspect", "nope"],
    ["context", "use", "nope"],
    ["context", "rm", "nope"],
    ["context", "show"],
  );
  for (const [list, fields] of Object.entries(fieldsOf)) {
    const words = list.split(" ");
    calls.push(words, [...words, "--format", "json"], [...words, "--format", "{{json .}}"]);
    calls.push([...words, "--format", "table"], [...words, "--format", "raw"]);
    calls.push([...words, "--format", "{{.Nope}}"], [...words, "--format", "table {{.Nope}}"]);
    calls.push([...words, "--format", "{{.ID"]);
    for (const field of fields)
      calls.push([...words, "--format", `table {{.${field}}}\\t{{lower .${field}}}`]);
    if (labels.includes(list))
      calls.push([...words, "--format", 'table {{.Label "com.example.some-label"}}\\t{{.Label "none"}}']);
  }
  for (const list of [
    "container ls",
    "image ls",
    "network ls",
    "image history busybox",
    "container stats --no-stream",
    "search busybox",
  ])
    calls.push([...list.split(" "), "--no-trunc"]);
  for (const list of [
    "container ls",
    "image ls",
    "network ls",
    "volume ls",
    "context ls",
    "image history busybox",
  ])
    calls.push([...list.split(" "), "-q"], [...list.split(" "), "-q", "--format", "{{json .}}"]);
  calls.push(
    ["container", "ls", "--size"],
    ["container", "ls", "-q", "--no-trunc"],
    ["image", "ls", "--digests"],
    ["image", "ls", "--digests", "--format", "table"],
    ["image", "ls", "--format", "{{.Repository}} {{.Digest}}"],
    ["image", "history", "busybox", "--human=false"],
    ["system", "df", "-v"],
    ["system", "df", "-v", "--format", "json"],
    ["system", "df", "-v", "--format", "table"],
    ["system", "df", "-v", "--format", "{{json .Volumes}}"],
    ["system", "df", "-v", "--format", "{{.Nope}}"],
    ["container", "stats", "--no-stream", "web"],
    ["container", "stats", "--no-stream", "nope"],
    ["container", "port", "web"],
    ["container", "port", "web", "80"],
    ["container", "port", "web", "80/udp"],
    ["container", "port", "web", "x"],
    ["container", "diff", "web"],
    ["container", "top", "web"],
    ["container", "ls", "--filter", "nope"],
    ["container", "inspect", "nope"],
    ["image", "inspect", "nope"],
    ["network", "inspect", "nope"],
    ["volume", "inspect", "nope"],
    ["container", "rm", "nope"],
    ["container", "rm", "-f", "nope"],
    ["container", "stop", "nope", "nope2"],
    ["container", "start", "nope"],
    ["container", "cp", "a", "b"],
    ["container", "cp", "a:b", "c:d"],
    ["image", "tag", "UPPER", "b"],
    ["image", "save", "nope"],
    ["image", "load", "-i", "/nonexistent.tar"],
    ["image", "pull", "UPPER"],
    ["image", "pull", "-a", "busybox:1"],
    ["image", "push", "-a", "busybox:1"],
    ["image", "rm", "nope"],
    ["volume", "rm", "nope"],
    ["network", "rm", "nope"],
    ["context", "rm", "remote"],
  );
  return calls;
}

/** Values that an option refuses, or that are not there. */
function wrongValues(name: string, flag: Flag<unknown>): readonly string[] {
  if (flag.typeName === "") return [`--${name}=maybe`];
  const missing = [`--${name}`];
  const takesAny = ["string", "list", "strings", "stringArray"].includes(flag.typeName);
  return takesAny ? missing : [...missing, `--${name}=:no=`, `--${name}=-5x`];
}
