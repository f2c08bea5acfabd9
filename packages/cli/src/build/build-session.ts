import { randomBytes } from "node:crypto";
import { pipeline } from "node:stream/promises";
import type { EngineClient } from "@hawser/api/client";
import { cliFaults } from "../faults.ts";
import { openAgent, type ReadSecret } from "./build-secrets.ts";
import { type SessionMethods, serveSession } from "./serve-session.ts";

/** What the engine may ask the client for while it builds. Nothing else is served. */
export interface BuildSessionParts {
  readonly secrets: ReadonlyMap<string, ReadSecret>;
  /** Sockets of ssh agents. */
  readonly agents: ReadonlyMap<string, string>;
  /** Archives of files, by name; each is sent once. */
  readonly uploads: ReadonlyMap<string, AsyncIterable<Uint8Array>>;
  /** Blobs of caches that are folders, and of layouts, by names; as often as they are asked for. */
  readonly openBlob: (name: string) => AsyncIterable<Uint8Array> | undefined;
  /** Takes the archive of the output of that number. */
  readonly receive: (output: number, body: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** A session with the engine, until disposed. */
export interface BuildSession extends Disposable {
  readonly id: string;
}

/** @throws {Fault} as `EngineClient.upgrade` */
export async function openBuildSession(
  client: EngineClient,
  parts: BuildSessionParts,
): Promise<BuildSession> {
  const methods = methodsOf(parts);
  const id = randomBytes(12).toString("hex");
  const { socket } = await client.upgrade({
    method: "POST",
    path: "/session",
    headers: {
      Upgrade: "h2c",
      "X-Docker-Expose-Session-Uuid": id,
      "X-Docker-Expose-Session-Name": "hawser",
      "X-Docker-Expose-Session-Grpc-Method": Object.keys(methods).join(","),
    },
  });
  const served = serveSession(socket, methods);
  return { id, [Symbol.dispose]: () => served[Symbol.dispose]() };
}

const nothing = new Uint8Array();

function methodsOf({ secrets, agents, uploads, openBlob, receive }: BuildSessionParts): SessionMethods {
  const agentOf = (id: string) => {
    const path = agents.get(id);
    if (path === undefined) throw cliFaults.AGENT_ABSENT(id, "it was not given");
    return path;
  };
  return {
    "/moby.buildkit.secrets.v1.Secrets/GetSecret": async function* ({ messages }) {
      const id = await textOf(messages);
      const read = secrets.get(id);
      if (read === undefined) throw cliFaults.SECRET_ABSENT(id);
      yield read();
    },
    "/moby.sshforward.v1.SSH/CheckAgent": async function* ({ messages }) {
      agentOf((await textOf(messages)) || "default");
      yield nothing;
    },
    "/moby.sshforward.v1.SSH/ForwardAgent": async function* ({ metadata, messages }) {
      const id = metadata("buildkit.ssh.id") || "default";
      const agent = await openAgent(id, agentOf(id));
      pipeline(messages, agent).catch(() => agent.destroy()); // the other direction tells
      yield* agent;
    },
    "/moby.upload.v1.Upload/Pull": async function* ({ metadata }) {
      const name = metadata("urlpath").replace(/^\//, "");
      const upload = uploads.get(name) ?? openBlob(name);
      if (upload === undefined) throw cliFaults.SESSION_CALL(`a file ${name}`);
      yield* upload;
    },
    "/moby.filesync.v1.FileSend/DiffCopy": async function* ({ metadata, messages }) {
      await receive(Number(metadata("buildkit-attachable-exporter-id") || "0"), messages);
    },
  };
}

async function textOf(messages: AsyncIterable<Uint8Array>): Promise<string> {
  for await (const bytes of messages) return Buffer.from(bytes).toString();
  return "";
}
