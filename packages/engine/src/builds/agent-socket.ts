import { once } from "node:events";
import { chmod, chown, mkdir, open } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BuildFiles } from "./op-scope.ts";

/** A socket on which a process finds the user's ssh agent, until it is disposed of. */
export interface AgentSocket extends AsyncDisposable {
  readonly path: string;
}

/** @returns `undefined` when the user lends no agent of that name */
export async function openAgentSocket(
  agent: { readonly id: string; readonly mode: number; readonly uid: number; readonly gid: number },
  at: { readonly files: Pick<BuildFiles, "agent">; readonly runDir: string; readonly name: string },
): Promise<AgentSocket | undefined> {
  const first = await at.files.agent(agent.id);
  if (first === undefined) return undefined;
  first.destroy();
  await mkdir(at.runDir, { recursive: true, mode: 0o700 });
  const path = join(at.runDir, `${at.name}.sock`);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    relay(socket, at.files.agent(agent.id)).catch(() => socket.destroy());
  });
  // The way there may be longer than an address can be.
  await using folder = await open(at.runDir);
  server.listen(`/proc/self/fd/${folder.fd}/${at.name}.sock`);
  await once(server, "listening");
  await chmod(path, agent.mode);
  await chown(path, agent.uid, agent.gid);
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

async function relay(socket: Socket, connecting: ReturnType<BuildFiles["agent"]>): Promise<void> {
  const agent = await connecting;
  if (agent === undefined) return void socket.destroy();
  await Promise.all([pipeline(socket, agent), pipeline(agent, socket)]);
}
