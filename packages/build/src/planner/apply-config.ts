import { isIP } from "node:net";
import { posix } from "node:path";
import { formatDurationNs, goQuote, goQuoteChar } from "@hawser/base";
import { parseSignal } from "@hawser/oci";
import { invalidAt } from "../dockerfile/faults.ts";
import { readHealthcheck } from "../dockerfile/healthcheck.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import { createVertex } from "../plan/vertex.ts";
import { defaultShell } from "./plan-run.ts";
import type { Stage } from "./stage.ts";
import { type Scope, withVariable } from "./variables.ts";

/**
 * What instructions do that change a stage's configuration.
 *
 * @returns what an image's history says of it, in BuildKit's words; `undefined`: nothing
 * @throws {Fault} `invalid-argument`
 */
export function applyConfig(node: InstructionNode, stage: Stage, scope: Scope): string | undefined {
  const apply = appliers[node.name];
  if (apply === undefined) throw invalidAt(node.range, `unknown instruction: ${node.typedName}`);
  return apply(node, stage, scope);
}

type Applier = (node: InstructionNode, stage: Stage, scope: Scope) => string | undefined;

const appliers: Readonly<Record<string, Applier>> = {
  CMD(node, stage) {
    const { execution } = stage;
    stage.ownCmd = true;
    execution.cmd = commandOf(node, execution.shell);
    execution.argsEscaped = true; // as BuildKit says it, and images stay what they are there
    return `CMD ${quoteList(execution.cmd)}`;
  },
  ENTRYPOINT(node, stage) {
    const { execution } = stage;
    execution.entrypoint = commandOf(node, execution.shell);
    // The command of the image below was written for another program.
    if (!stage.ownCmd) delete execution.cmd;
    return `ENTRYPOINT ${quoteList(execution.entrypoint)}`;
  },
  ENV(node, stage, scope) {
    // All values see the environment as it was before the instruction.
    const pairs = pairsOf(node, scope);
    for (const [name, value] of pairs) {
      stage.execution.env = withVariable(stage.execution.env, name, value);
      stage.args.delete(name);
    }
    return `ENV ${formatPairs(pairs)}`;
  },
  LABEL(node, stage, scope) {
    const pairs = pairsOf(node, scope);
    stage.execution.labels = { ...stage.execution.labels, ...Object.fromEntries(pairs) };
    return `LABEL ${formatPairs(pairs)}`;
  },
  EXPOSE(node, stage, scope) {
    const words = node.args.toSorted(); // the order in which BuildKit says what is wrong
    const ports = words.flatMap((text) => scope.words(text)).flatMap((text) => portsOf(node, text));
    stage.execution.exposedPorts = [...new Set([...stage.execution.exposedPorts, ...ports])].toSorted();
    return `EXPOSE [${ports.toSorted().join(" ")}]`;
  },
  HEALTHCHECK(node, { execution }) {
    const check = readHealthcheck(node);
    execution.healthcheck = check;
    const times = [check.intervalNs, check.timeoutNs, check.startPeriodNs, check.startIntervalNs];
    const told = [quoteList(check.test), ...times.map((ns) => goQuote(formatDurationNs(ns)))];
    // Go's `%q` of a number is the character that it stands for.
    return `HEALTHCHECK &{${told.join(" ")} ${goQuoteChar(String.fromCodePoint(check.retries))}}`;
  },
  MAINTAINER(node, stage) {
    stage.author = node.args[0] ?? "";
    return `MAINTAINER ${stage.author}`;
  },
  SHELL(node, { execution }) {
    execution.shell = node.args;
    return `SHELL [${node.args.join(" ")}]`;
  },
  STOPSIGNAL(node, { execution }, scope) {
    const signal = scope.word(node.args[0] ?? "");
    parseSignal(signal);
    execution.stopSignal = signal;
    return `STOPSIGNAL ${signal}`;
  },
  USER(node, { execution }, scope) {
    execution.user = scope.word(node.args[0] ?? "");
    return `USER ${execution.user}`;
  },
  VOLUME(node, { execution }, scope) {
    const paths = node.args.map((path) => scope.word(path));
    if (paths.includes("")) throw invalidAt(node.range, "VOLUME specified can not be an empty string");
    execution.volumes = [...new Set([...execution.volumes, ...paths])].toSorted();
    return `VOLUME [${paths.join(" ")}]`;
  },
  WORKDIR(node, stage, scope) {
    const path = scope.word(node.args[0] ?? "");
    const workingDir = posix.resolve(stage.execution.workingDir || "/", path);
    stage.execution.workingDir = workingDir;
    if (workingDir !== "/") {
      const { user } = stage.execution;
      const op = { kind: "make-folder", path: workingDir, ...(user !== "" && { owner: user }) } as const;
      stage.root = createVertex(op, [stage.root]);
    }
    return `WORKDIR ${workingDir}`;
  },
  ONBUILD(node, { execution }) {
    const [text = ""] = node.args;
    const texts = node.heredocs.map(({ raw, name }) => `\n${raw}${name}`);
    execution.onBuild = [...(execution.onBuild ?? []), `${text}${texts.join("")}`];
    return undefined; // what a later build does is no step of this one
  },
};

/** A list as Go's `%q` writes it. */
const quoteList = (words: readonly string[]) => `[${words.map(goQuote).join(" ")}]`;

const formatPairs = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([name, value]) => `${name}=${value}`).join(" ");

function commandOf(node: InstructionNode, shell: readonly string[] = defaultShell): readonly string[] {
  return node.isJson || node.args.length === 0 ? node.args : [...shell, ...node.args];
}

function pairsOf(node: InstructionNode, scope: Scope): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < node.args.length; at += 3) {
    pairs.push([scope.word(node.args[at] ?? ""), scope.word(node.args[at + 1] ?? "")]);
  }
  return pairs;
}

/** `80`, `80/udp`, `8000-8010`; what `docker run -p` takes has an address and the host's port before that, which count for nothing. */
function portsOf(node: InstructionNode, text: string): readonly string[] {
  const bad = (words: string) => invalidAt(node.range, words);
  const [, address = "", hostPort, rest = ""] = /^(?:(?:(.*):)?([^:]*):)?([^:]*)$/s.exec(text) ?? [];
  const [, port = "", protocol = ""] = /^([^/]*)(?:\/(.*))?$/s.exec(rest) ?? [];
  if (port === "") throw bad(`invalid port: ${goQuote(text)}: no port specified`);
  const kind = protocol.toLowerCase() || "tcp";
  if (!["tcp", "udp", "sctp"].includes(kind))
    throw bad(`invalid port: ${goQuote(text)}: invalid proto: ${protocol}`);
  if (address !== "" && isIP(address.replace(/^\[(.*)\]$/, "$1")) === 0)
    throw bad(`invalid IP address: ${address}`);
  const ports = portRange(port);
  if (ports === undefined) throw bad(`invalid containerPort: ${port}`);
  if (hostPort) {
    const hosts = portRange(hostPort);
    if (hosts === undefined) throw bad(`invalid hostPort: ${hostPort}`);
    if (ports.length !== hosts.length && ports.length > 1)
      throw bad(`invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
  }
  return ports.map((one) => `${one}/${kind}`);
}

/** `80`, `80-90`; `undefined`: it is none. */
function portRange(text: string): readonly number[] | undefined {
  const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from > to || to > 65535) return undefined;
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
