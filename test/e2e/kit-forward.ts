import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { startProgram } from "./kit-process.ts";

/** Until disposal, who asks at `port` of loopback in the network namespace of `pid` is answered by the same port of ours. */
export async function forwardLoopback(port: number, pid: number): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const dir = opened.use(await openTempDir("hawser-forward-"));
  const path = join(dir.path, "socket"); // which every network namespace can reach
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const asked = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [socket, asked],
      [asked, socket],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => sockets.delete(one));
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  opened.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const inside = ["nsenter", "-t", `${pid}`, "-n", process.execPath, "-e", relay, `${port}`, path];
  const program = await startProgram(inside, { log: join(dir.path, "log") });
  opened.defer(() => program.kill("SIGKILL"));
  await eventually(() => program.output().includes("ready"), { what: "a port is forwarded" });
  const resources = opened.move();
  return { [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const relay = `
  const net = require("node:net");
  const [port, path] = process.argv.slice(1);
  net.createServer((socket) => {
    const asked = net.connect(path);
    socket.pipe(asked).pipe(socket);
    socket.on("error", () => asked.destroy());
    asked.on("error", () => socket.destroy());
  }).listen(Number(port), "127.0.0.1", () => console.log("ready"));
`;
