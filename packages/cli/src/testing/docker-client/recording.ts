import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a client did with a call. */
export interface ClientAnswer {
  readonly argv: readonly string[];
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Docker's client and the second at which it was asked. */
export interface Recording {
  readonly client: string;
  readonly nowSeconds: number;
  readonly answers: readonly ClientAnswer[];
}

/** The head, then an answer a line. */
export const recordingPath = join(import.meta.dirname, "../../testdata/docker-client-28.5.2.jsonl");

export function readRecording(): Recording {
  const [head = "{}", ...lines] = readFileSync(recordingPath, "utf8").trimEnd().split("\n");
  const { client, nowSeconds } = JSON.parse(head) as Pick<Recording, "client" | "nowSeconds">;
  return { client, nowSeconds, answers: lines.map((line) => JSON.parse(line) as ClientAnswer) };
}

/** Without the paths of a run, and the names of the programs. */
export function normalise(text: string, options: { readonly dir: string; readonly host: string }): string {
  return text
    .replaceAll(options.host, "{host}")
    .replaceAll(options.host.toLowerCase(), "{host}")
    .replaceAll(options.dir, "{settings}")
    .replaceAll("Docker", "Hawser")
    .replaceAll("docker", "hawser");
}
