import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of files that a test changes. */
export interface FilesServer extends AsyncDisposable {
  /** `http://127.0.0.1:1234` */
  readonly address: string;
  /** By path: `/file`. */
  readonly files: Map<string, string | Uint8Array>;
  readonly seen: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly status: number }[];
  /** Whether it says what state a file is in, and knows that again. */
  hasEtags: boolean;
}

export async function openFilesServer(): Promise<FilesServer> {
  const files = new Map<string, string | Uint8Array>();
  const seen: FilesServer["seen"][number][] = [];
  const server = createServer(({ url: path = "", headers }, response) => {
    const content = files.get(path);
    const etag = content !== undefined && opened.hasEtags ? `"${etagOf(content)}"` : undefined;
    const status =
      content === undefined ? 404 : etag !== undefined && headers["if-none-match"] === etag ? 304 : 200;
    seen.push({ path, headers, status });
    response.writeHead(status, etag === undefined ? {} : { etag }).end(status === 200 ? content : undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const opened: FilesServer = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    seen,
    hasEtags: true,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return opened;
}

function etagOf(content: string | Uint8Array): string {
  return createHash("sha1").update(content).digest("hex");
}
