import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";

/** In a bundle they lie beside it. */
const folder = join(import.meta.dirname, "page");

const files: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["/browse/", ["index.html", "text/html; charset=utf-8"]],
  ["/browse/page.js", ["page.js", "text/javascript; charset=utf-8"]],
  ["/browse/page.css", ["page.css", "text/css; charset=utf-8"]],
]);

/** It runs what it brought, asks this registry and nobody else, and is in nobody's frame. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The page that shows what is in a registry: files that know nothing; what they show they ask for as any client. */
export class BrowsePage {
  readonly #content: ReadonlyMap<string, readonly [Buffer, string]>;

  constructor() {
    this.#content = new Map(
      [...files].map(([path, [name, type]]) => [path, [readFileSync(join(folder, name)), type]]),
    );
  }

  /** Whether `path` is one of the page's. */
  answer(path: string, response: ServerResponse): boolean {
    if (path === "/" || path === "/browse") {
      response.writeHead(302, { Location: "/browse/", "Content-Length": 0 });
      response.end();
      return true;
    }
    const [bytes, type] = this.#content.get(path) ?? [];
    if (bytes === undefined || type === undefined) return false;
    response.writeHead(200, {
      "Content-Type": type,
      "Content-Length": bytes.length,
      "Content-Security-Policy": policy,
      "Referrer-Policy": "no-referrer",
      "Cache-Control": "no-cache",
    });
    response.end(bytes);
    return true;
  }
}
