import {
  type ApiVersion,
  compareApiVersions,
  newestApiVersion,
  oldestApiVersion,
  parseApiVersion,
} from "@hawser/api";
import { httpFaults } from "./faults.ts";
import type { ApiRequest } from "./request.ts";
import type { ApiResponse } from "./response.ts";

export type Handler = (request: ApiRequest, response: ApiResponse) => Promise<void> | void;

/** One endpoint. */
export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** `/containers/{id}/start`; `{name:.*}` also spans slashes. */
  readonly path: string;
  /** Oldest and newest API version that has it. */
  readonly since?: ApiVersion;
  readonly until?: ApiVersion;
  /**
   * The handler takes the connection over (`hijack`): input after the request belongs to it, so the client's going away
   * is not watched for, and `request.signal` fires only when the engine stops.
   */
  readonly hijacks?: boolean;
  readonly handler: Handler;
}

export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly path: string;
  readonly apiVersion: ApiVersion;
}

interface CompiledRoute {
  readonly route: Route;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

/** Finds the route of a request. Immutable. */
export class Router {
  /** By method and first segment of the path, so that a request is compared with few patterns. */
  readonly #routes = new Map<string, CompiledRoute[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const key = keyOf(route.method, route.path);
      const compiled = this.#routes.get(key) ?? [];
      compiled.push(compileRoute(route));
      this.#routes.set(key, compiled);
    }
  }

  /**
   * @param target path of the request as sent, without query: still percent-encoded, perhaps with `/v1.51` before it
   * @throws {Fault} `not-found` for an unknown path and for a method that the path does not have; `invalid-argument` for
   *   an API version that is not spoken and for broken encoding.
   */
  match(method: string, target: string): RouteMatch {
    const decoded = decodePath(target);
    const [, prefix, rest] = /^\/v([\d.]{1,16})(\/.*)$/.exec(decoded) ?? [];
    const path = rest ?? decoded;
    const apiVersion = prefix === undefined ? newestApiVersion : readVersion(prefix);
    for (const { route, pattern, names } of this.#routes.get(keyOf(method, path)) ?? []) {
      const found = pattern.exec(path);
      if (found === null || !isInVersion(route, apiVersion)) continue;
      if (prefix !== undefined) checkVersion(apiVersion, prefix);
      const params = Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? ""]));
      return { route, params, path, apiVersion };
    }
    throw httpFaults.PAGE_NOT_FOUND();
  }
}

function keyOf(method: string, path: string): string {
  const end = path.indexOf("/", 1);
  return `${method} ${end < 0 ? path : path.slice(0, end)}`;
}

function compileRoute(route: Route): CompiledRoute {
  const names: string[] = [];
  const source = route.path.replace(
    /\{(\w+)(?::(\.\*))?\}|[.*+?^$()|[\]\\]/g,
    (text, name?: string, rest?: string) => {
      if (name === undefined) return `\\${text}`;
      names.push(name);
      return rest === undefined ? "([^/]+)" : "(.*)";
    },
  );
  return { route, pattern: new RegExp(`^${source}$`, "s"), names };
}

function decodePath(target: string): string {
  try {
    const path = decodeURIComponent(target);
    if (path.includes("\0")) throw httpFaults.REQUEST_MALFORMED("NUL in path");
    return path;
  } catch (error) {
    if (error instanceof URIError) throw httpFaults.REQUEST_MALFORMED("percent-encoding").because(error);
    throw error;
  }
}

/** As moby compares versions: a missing part is 0, a third one does not matter. */
function readVersion(text: string): ApiVersion {
  const [major = "", minor = ""] = text.split(".");
  try {
    return parseApiVersion(`${major || 0}.${minor || 0}`);
  } catch {
    throw httpFaults.PAGE_NOT_FOUND();
  }
}

function isInVersion(route: Route, version: ApiVersion): boolean {
  // Versions that are not spoken at all get their own words, from checkVersion.
  if (isTooNew(version) || isTooOld(version)) return true;
  if (route.since !== undefined && compareApiVersions(version, route.since) < 0) return false;
  return route.until === undefined || compareApiVersions(version, route.until) <= 0;
}

const isTooNew = (version: ApiVersion) => compareApiVersions(version, newestApiVersion) > 0;
const isTooOld = (version: ApiVersion) => compareApiVersions(version, oldestApiVersion) < 0;

function checkVersion(version: ApiVersion, asked: string): void {
  if (isTooNew(version)) throw httpFaults.CLIENT_TOO_NEW(asked, newestApiVersion);
  if (isTooOld(version)) throw httpFaults.CLIENT_TOO_OLD(asked, oldestApiVersion);
}
