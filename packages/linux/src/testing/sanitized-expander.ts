import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { runProgramOk } from "@hawser/base";
import type { Expanded, GzipCase } from "./gzip-cases.ts";

const addon = join(import.meta.dirname, "../../../../native/addon");
const kinds = ["more", "ended", "damaged"] as const;

/** Expands cases by the addon's decoder with sanitizers (compiled in `folder`, 2 s). @throws when they find anything */
export async function expandSanitized(folder: string, cases: readonly GzipCase[]): Promise<Expanded[]> {
  const program = join(folder, "expand");
  await runProgramOk(["make", "-s", "-C", addon, `BUILD=${folder}`, `NODE=${process.execPath}`, program]);
  const child = spawn(program, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it has ended: its own words say why
  const ended = Promise.all([buffer(child.stdout), text(child.stderr), once(child, "exit")]);
  for (const { archive, inputStep, outputStep } of cases) {
    child.stdin.write(Buffer.from(Uint32Array.of(inputStep, outputStep, archive.length).buffer));
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
