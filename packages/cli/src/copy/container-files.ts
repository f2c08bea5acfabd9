import { dirname, isAbsolute, join } from "node:path";
import type { EngineClient } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { containerPath } from "../commands/each-argument.ts";
import { cliFaults } from "../faults.ts";
import type { CopyEnd } from "./copy-paths.ts";

/** What the engine tells of a place in a container. */
export interface ContainerFile {
  readonly isDirectory: boolean;
  readonly isRegular: boolean;
  readonly linkTarget: string;
}

export type ContainerEnd = Required<CopyEnd>;

const statHeader = "x-docker-container-path-stat";

/** `undefined`: nothing is there. @throws {Fault} `not-found` for the container */
export async function findContainerFile(
  client: EngineClient,
  { container, path }: ContainerEnd,
): Promise<ContainerFile | undefined> {
  try {
    const { head, body } = await client.send({
      method: "HEAD",
      path: containerPath(container, "archive"),
      query: { path },
    });
    for await (const _ of body);
    return parsePathStat(head.headers.get(statHeader));
  } catch (error) {
    if (!Fault.is(error, "not-found")) throw error;
    // Nobody reads the words of a HEAD's refusal: which of the two is missing shows when the container is asked for.
    await client.text({ method: "GET", path: containerPath(container, "json") });
    return undefined;
  }
}

/** A place in a container as a tar archive; its first name is the last part of the path. */
export async function readContainerFiles(
  client: EngineClient,
  { container, path }: ContainerEnd,
): Promise<ContainerFile & { readonly archive: AsyncIterable<Buffer> }> {
  const { head, body } = await client.send({
    method: "GET",
    path: containerPath(container, "archive"),
    query: { path },
  });
  return { ...parsePathStat(head.headers.get(statHeader)), archive: body };
}

/** Unpack a tar archive in a folder of a container. */
export async function writeContainerFiles(
  client: EngineClient,
  { container, path }: ContainerEnd,
  options: { readonly archive: AsyncIterable<Uint8Array>; readonly toUser: boolean },
): Promise<void> {
  await client.command({
    method: "PUT",
    path: containerPath(container, "archive"),
    query: { path, noOverwriteDirNonDir: "true", ...(options.toUser && { copyUIDGID: "true" }) },
    bytes: options.archive,
  });
}

/** Where a link in a container leads. */
export function linkTargetOf(path: string, target: string): string {
  return isAbsolute(target) ? target : join(dirname(path), target);
}

const goFolder = 2 ** 31;
const goTypes = [goFolder, 2 ** 27, 2 ** 26, 2 ** 25, 2 ** 24, 2 ** 21, 2 ** 19];

/** JSON in base64, the mode as Go's `os.FileMode`. */
function parsePathStat(header: string | undefined): ContainerFile {
  try {
    const { mode, linkTarget } = JSON.parse(Buffer.from(header ?? "", "base64").toString()) as {
      readonly mode: number;
      readonly linkTarget?: string;
    };
    const has = (bit: number) => Math.floor(mode / bit) % 2 === 1;
    return { isDirectory: has(goFolder), isRegular: !goTypes.some(has), linkTarget: linkTarget ?? "" };
  } catch (error) {
    throw cliFaults.STREAM_FAILED("unable to decode the container's path stat").because(error);
  }
}
