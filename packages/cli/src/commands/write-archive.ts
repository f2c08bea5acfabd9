import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { errnoOf } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import { type Session, write } from "../session.ts";

/** Where an archive is to go, looked at before anything is asked of the engine. @throws {Fault} `conflict` for a terminal. */
export function checkArchiveTarget(session: Session, output: string): void {
  if (output === "" && session.stdout.isTTY === true) {
    throw cliFaults.OUTPUT_IS_TERMINAL(
      "cowardly refusing to save to a terminal. Use the -o flag or redirect",
    );
  }
}

/**
 * Write an archive to standard output, or to the file `output`, which is whole or not there: it is written beside and renamed.
 *
 * @throws {Fault} `not-found` with the system's words for a place that cannot be written
 */
export async function writeArchive(
  session: Session,
  options: { readonly body: AsyncIterable<Uint8Array>; readonly output: string },
): Promise<void> {
  const { body, output } = options;
  if (output === "") {
    for await (const chunk of body) await write(session.stdout, chunk);
    return;
  }
  const place = resolve(session.workingDir, output);
  if (place.startsWith("/dev/")) {
    await pipeline(body, createWriteStream(place));
    return;
  }
  const part = `${place}.part-${randomUUID()}`;
  try {
    await pipeline(body, createWriteStream(part, { flags: "wx", mode: 0o600 }));
    await rename(part, place);
  } catch (error) {
    await rm(part, { force: true });
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const why = errno === "ENOENT" ? "no such file or directory" : errno;
    throw cliFaults.FILE_UNREADABLE(`failed to save to ${output}: ${why}`).because(error);
  }
}
