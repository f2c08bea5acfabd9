import { request as sendRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import type { Route } from "../router.ts";
import { ApiServer, type ApiServerOptions } from "../server.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface TestApi extends AsyncDisposable {
  /** For `DOCKER_HOST`. */
  readonly address: string;
  readonly path: string;
  readonly server: ApiServer;
  ask(
    method: string,
    target: string,
    options?: { readonly body?: string | Uint8Array; readonly type?: string },
  ): Promise<ApiAnswer>;
}

/** The given routes, served on a unix socket that goes with its scope. */
export async function openApi(
  routes: readonly Route[],
  options: Partial<ApiServerOptions> = {},
): Promise<TestApi> {
  const dir = await openTempDir();
  const path = join(dir.path, "api.sock");
  const server = new ApiServer({ routes, version: "1.2.3", log: silentLogger, ...options });
  await server.listen(`unix://${path}`);
  return {
    path,
    server,
    address: `unix://${path}`,
    ask: (method, target, options = {}) => ask(path, { method, target, ...options }),
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 50 });
      await dir[Symbol.asyncDispose]();
    },
  };
}

function ask(
  path: string,
  request: {
    readonly method: string;
    readonly target: string;
    readonly body?: string | Uint8Array;
    readonly type?: string;
  },
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(
      {
        method: request.method,
        path: request.target,
        headers: { "content-type": request.type ?? "application/json" },
        createConnection: () => connect(path),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(request.body);
  });
}
