import { Agent, type IncomingMessage, request } from "node:http";

/** A bare Docker API client on one kept-alive connection: what an SDK's user pays, without a client process. */
export interface ApiClient extends Disposable {
  /** Create `image` with AutoRemove and no network, attach, start, read the output to its end, wait for the exit. */
  runHello(image: string): Promise<void>;
  /** Create a container of `image` that will sleep. */
  create(image: string, name: string, network?: string): Promise<void>;
  start(name: string): Promise<void>;
  /** The list of all containers, as it comes. */
  list(): Promise<string>;
}

export function openApiClient(socketPath: string): ApiClient {
  const agent = new Agent({ keepAlive: true });

  const send = async (method: string, path: string, body?: unknown): Promise<IncomingMessage> => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { Host: "docker", "Content-Type": "application/json", "Content-Length": text.length };
    request({ socketPath, agent, method, path: `/v1.41${path}`, headers }, resolve)
      .on("error", reject)
      .end(text);
    return await promise;
  };

  const read = async (response: IncomingMessage): Promise<string> => {
    let text = "";
    for await (const chunk of response) text += String(chunk);
    const { statusCode = 500 } = response;
    if (statusCode >= 300) throw new Error(`status ${statusCode}: ${text}`);
    return text;
  };

  /** Attach by upgrade, once the stream stands; `output` settles when the container's end has closed it. */
  const attach = async (id: string): Promise<{ readonly output: Promise<Buffer> }> => {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly output: Promise<Buffer> }>();
    request({
      socketPath,
      method: "POST",
      path: `/v1.41/containers/${id}/attach?stream=1&stdout=1&stderr=1`,
      headers: { Host: "docker", Connection: "Upgrade", Upgrade: "tcp" },
    })
      .on("upgrade", (_response, socket, head) => {
        const chunks: Buffer[] = [head];
        const ended = Promise.withResolvers<Buffer>();
        socket.on("data", (chunk: Buffer) => chunks.push(chunk));
        socket.on("end", () => {
          socket.end();
          ended.resolve(Buffer.concat(chunks));
        });
        socket.on("error", ended.reject);
        resolve({ output: ended.promise });
      })
      .on("response", (response) => reject(new Error(`attach: status ${response.statusCode}`)))
      .on("error", reject)
      .end();
    return await promise;
  };

  return {
    async create(image, name, network = "none") {
      const HostConfig = { NetworkMode: network };
      const body = { Image: image, Cmd: ["sleep", "1000000"], HostConfig };
      await read(await send("POST", `/containers/create?name=${name}`, body));
    },
    async start(name) {
      await read(await send("POST", `/containers/${name}/start`));
    },
    async list() {
      return await read(await send("GET", "/containers/json?all=1"));
    },
    async runHello(image) {
      const created = await send("POST", "/containers/create", {
        Image: image,
        AttachStdout: true,
        AttachStderr: true,
        HostConfig: { NetworkMode: "none", AutoRemove: true },
      });
      const { Id: id } = JSON.parse(await read(created)) as { Id: string };
      const { output } = await attach(id);
      const exit = await send("POST", `/containers/${id}/wait?condition=next-exit`);
      await read(await send("POST", `/containers/${id}/start`));
      const { StatusCode: status } = JSON.parse(await read(exit)) as { StatusCode: number };
      const { length } = await output;
      if (status !== 0 || length === 0) throw new Error(`exit code ${status}, ${length} bytes of output`);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
