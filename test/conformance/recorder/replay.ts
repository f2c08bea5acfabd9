import { type Call, nameOf, type Scenario } from "./call.ts";
import { normalise, type Recorded } from "./normalise.ts";
import { type Sent, send } from "./send.ts";

/** Name of the call → its answer, in the order of the list. */
export type Recording = ReadonlyMap<string, Recorded>;

export interface ReplayOptions {
  readonly socketPath: string;
  /** Text that is this engine's own (a folder, say) → what stands for it. */
  readonly own: readonly (readonly [string, string])[];
  /** An archive of a root file system, for the image `busybox`. */
  readonly layer: Uint8Array;
}

/** Replay every call, one after the other, against an engine that has nothing yet. */
export async function replay(scenarios: readonly Scenario[], options: ReplayOptions): Promise<Recording> {
  const recording = new Map<string, Recorded>();
  const { socketPath } = options;
  await ask(
    socketPath,
    'POST /images/create?fromSrc=-&repo=busybox&tag=latest&changes=CMD%20["sh"]',
    options.layer,
  );
  for (const scenario of scenarios) {
    const kept = new Map<string, string>();
    for (const call of scenario.calls) {
      const sent = await answerOf(call, kept, socketPath).catch((cause: unknown) => {
        throw new Error(`no answer to ${nameOf(scenario, call)}`, { cause });
      });
      keep(call, sent, kept);
      if (call.silent === true) continue;
      const known = [
        ...options.own,
        ...[...kept].flatMap(([name, value]) => [
          [value, `{${name}}`] as const,
          ...(/^[0-9a-f]{64}$/.test(value) ? [[value.slice(0, 12), `{${name}}`] as const] : []),
        ]),
      ];
      recording.set(freeName(nameOf(scenario, call), recording), normalise(call, sent, { known }));
    }
    await clear(socketPath);
  }
  return recording;
}

/** Calls that the list has several times are numbered. */
function freeName(name: string, taken: Recording): string {
  for (let number = 2, candidate = name; ; number += 1) {
    if (!taken.has(candidate)) return candidate;
    candidate = `${name} #${number}`;
  }
}

async function answerOf(call: Call, kept: ReadonlyMap<string, string>, socketPath: string): Promise<Sent> {
  return await send(socketPath, encodeCall(call, kept), call);
}

function encodeCall(call: Call, kept: ReadonlyMap<string, string>): Buffer {
  if (call.raw !== undefined) return Buffer.from(call.raw);
  const valueOf = (name: string) => (name === "now" ? String((Date.now() + 1) / 1000) : kept.get(name));
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (whole, name: string) => valueOf(name) ?? whole);
  const isBytes = typeof call.body === "string" || call.body instanceof Uint8Array;
  const body = isBytes
    ? Buffer.from(call.body as string)
    : Buffer.from(fill(JSON.stringify(call.body ?? "")));
  const headers = new Map<string, string>([
    ["Host", "docker"],
    ["Connection", "close"],
  ]);
  if (call.body !== undefined) {
    headers.set("Content-Length", String(body.length));
    headers.set("Content-Type", "application/json");
  }
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (value === "") headers.delete(name);
    else headers.set(name, fill(value));
  }
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${fill(call.request)} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return call.body === undefined ? head : Buffer.concat([head, body]);
}

function keep(call: Call, sent: Sent, kept: Map<string, string>): void {
  for (const [name, path] of Object.entries(call.keep ?? {})) {
    let value: unknown = JSON.parse(sent.body.toString("utf8"));
    for (const step of path.split(".")) value = (value as Record<string, unknown>)[step];
    if (typeof value === "string") kept.set(name, value);
  }
}

/** Remove what a scenario made, so that the next one finds what the first one found. */
async function clear(socketPath: string): Promise<void> {
  const list = async (path: string, within?: string) => {
    const told = JSON.parse((await ask(socketPath, `GET ${path}`)).body.toString("utf8")) as never;
    return ((within === undefined ? told : told[within]) ?? []) as Readonly<Record<string, string>>[];
  };
  for (const { Id } of await list("/containers/json?all=1"))
    await ask(socketPath, `DELETE /containers/${Id}?force=1&v=1`);
  for (const { Name = "" } of await list("/networks")) {
    if (!["bridge", "host", "none"].includes(Name)) await ask(socketPath, `DELETE /networks/${Name}`);
  }
  for (const { Name } of await list("/volumes", "Volumes"))
    await ask(socketPath, `DELETE /volumes/${Name}?force=1`);
  for (const image of (await list("/images/json")) as unknown as {
    Id: string;
    RepoTags: string[] | null;
  }[]) {
    if (image.RepoTags?.includes("busybox:latest") !== true)
      await ask(socketPath, `DELETE /images/${image.Id}?force=1`);
  }
}

async function ask(socketPath: string, request: string, body?: Uint8Array): Promise<Sent> {
  return await send(socketPath, encodeCall({ request, ...(body !== undefined && { body }) }, new Map()));
}
