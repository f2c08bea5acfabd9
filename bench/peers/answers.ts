import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { parentPort, workerData } from "node:worker_threads";

/**
 * A thread that answers what docker's CLI asks in `run` and `exec`, on the socket that `workerData` names, as soon as it is
 * asked and without doing anything. Of its containers it knows who waits for their output and their end.
 */
const outputs = new Map<string, Duplex>();
const waiting = new Map<string, ServerResponse>();
let containers = 0;

const server = createServer((request, response) => {
  request.resume();
  response.setHeader("Api-Version", "1.50");
  const path = request.url?.split("?")[0] ?? "";
  const [, id = "", verb] = /\/(?:containers|exec)\/([^/]+)\/(\w+)$/.exec(path) ?? [];
  if (path.endsWith("/containers/create") || verb === "exec") {
    answer(response, 201, { Id: String(containers++).padStart(64, "0"), Warnings: [] });
  } else if (verb === "wait") {
    response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
    waiting.set(id, response);
  } else if (verb === "start") {
    response.writeHead(204).end();
    const text = Buffer.from("Hello\n");
    outputs.get(id)?.end(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), text]));
    waiting.get(id)?.end(JSON.stringify({ StatusCode: 0 }));
    outputs.delete(id);
    waiting.delete(id);
  } else answer(response, 200, { ID: id, Running: false, ExitCode: 0 });
});

server.on("upgrade", (request, socket) => {
  socket.on("error", () => {}); // the client is gone
  socket.write(
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n" +
      "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
  );
  const id = /\/containers\/(\w+)\/attach/.exec(request.url ?? "")?.[1];
  if (id === undefined) socket.end();
  else outputs.set(id, socket);
});

server.listen(workerData as string);
await once(server, "listening");
parentPort?.postMessage("listening");

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}
