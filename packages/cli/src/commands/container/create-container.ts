import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import type { ContainerCreateRequest, ContainerCreateResponse } from "@hawser/api";
import type { EngineClient } from "@hawser/api/client";
import { errnoOf, Fault } from "@hawser/base";
import { cliFaults } from "../../faults.ts";
import { familiarImageName } from "../../image-name.ts";
import { proxyVariables } from "../../proxy-settings.ts";
import { type Session, warnLine } from "../../session.ts";
import type { CreateFlags } from "./create-request.ts";

export interface CreateOptions {
  readonly session: Session;
  readonly client: EngineClient;
  readonly request: ContainerCreateRequest;
  readonly flags: CreateFlags & { readonly pull: string };
}

/**
 * Create a container, pulling its image as `--pull` says; warnings of the engine go to standard error, the id to `--cidfile`.
 *
 * @throws {Fault} the engine's refusal
 */
export async function createContainer(options: CreateOptions): Promise<string> {
  const { session, flags } = options;
  checkPull(flags.pull);
  const name = familiarImageName(options.request.Image ?? "");
  using idFile = openIdFile(flags.cidfile, session.workingDir);
  if (flags.pull === "always") await pull(options);
  let created: ContainerCreateResponse;
  try {
    created = await create(options);
  } catch (error) {
    if (!Fault.is(error, "not-found") || flags.pull !== "missing") throw error;
    if (name === undefined) throw error;
    if (!flags.quiet) await warnLine(session, `Unable to find image '${name}' locally`);
    await pull(options);
    created = await create(options);
  }
  for (const warning of created.Warnings ?? []) await warnLine(session, `WARNING: ${warning}`);
  idFile.write(created.Id);
  return created.Id;
}

/** @throws {Fault} `invalid-argument` */
export function checkPull(policy: string): void {
  if (["always", "missing", "never"].includes(policy)) return;
  throw cliFaults.OPTIONS_CONFLICT(
    `invalid pull option: '${policy}': must be one of "always", "missing" or "never"`,
  );
}

function withProxies({ request, session, client }: CreateOptions): ContainerCreateRequest {
  const given = request.Env ?? [];
  const said = (name: string) => given.some((text) => text === name || text.startsWith(`${name}=`));
  const added = Object.entries(proxyVariables(session.config(), { host: client.endpoint.text, said }));
  if (added.length === 0) return request;
  return { ...request, Env: [...given, ...added.map(([name, value]) => `${name}=${value}`)] };
}

async function create(options: CreateOptions): Promise<ContainerCreateResponse> {
  const { name, platform } = options.flags;
  return await options.client.json({
    method: "POST",
    path: "/containers/create",
    query: { name: name || undefined, platform: platform || undefined },
    json: withProxies(options),
  });
}

async function pull(options: CreateOptions): Promise<void> {
  const { pullImage } = await import("../image/pull-image.ts");
  await pullImage({
    session: options.session,
    client: options.client,
    image: options.request.Image ?? "",
    platform: options.flags.platform,
    ...(!options.flags.quiet && { out: options.session.stderr }),
  });
}

interface IdFile extends Disposable {
  write(id: string): void;
}

/** The file is made first, so that two containers never share one, and goes again when there is no container. */
function openIdFile(path: string, workingDir: string): IdFile {
  if (path === "") return { write() {}, [Symbol.dispose]() {} };
  const place = resolve(workingDir, path);
  if (existsSync(place)) {
    throw cliFaults.OPTIONS_CONFLICT(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  let fd: number;
  try {
    fd = openSync(place, "wx", 0o666);
  } catch (error) {
    const why = errnoOf(error) === "ENOENT" ? "no such file or directory" : (errnoOf(error) ?? String(error));
    throw cliFaults
      .FILE_UNREADABLE(`failed to create the container ID file: open ${path}: ${why}`)
      .because(error);
  }
  let written = false;
  return {
    write(id) {
      writeSync(fd, id);
      written = true;
    },
    [Symbol.dispose]() {
      closeSync(fd);
      if (!written) rmSync(place, { force: true });
    },
  };
}
