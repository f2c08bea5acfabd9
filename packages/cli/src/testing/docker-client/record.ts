import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { openTempDir } from "@hawser/base/testing";
import { openFakeEngine } from "../fake-engine.ts";
import { answers } from "./answers.ts";
import { clientCalls } from "./calls.ts";
import { type ClientAnswer, normalise, readRecording, recordingPath } from "./recording.ts";

/**
 * Ask docker's client all that ours is asked, and keep what it did:
 *
 *     node packages/cli/src/testing/docker-client/record.ts /path/to/docker
 *     node packages/cli/src/testing/docker-client/record.ts /path/to/docker 'system df'   # that, and what is new
 */
async function main(docker: string, again: string | undefined): Promise<void> {
  const before = again === undefined ? undefined : readRecording();
  const nowSeconds = before?.nowSeconds ?? Math.floor(Date.now() / 1000);
  const known = new Map(before?.answers.map((answer) => [answer.argv.join("\0"), answer]));
  await using dir = await openTempDir();
  await using engine = await openFakeEngine({ replies: answers(nowSeconds) });
  const place = { dir: dir.path, host: engine.host };
  const env = { HOME: dir.path, DOCKER_CONFIG: dir.path, DOCKER_HOST: engine.host, TZ: "UTC" };
  const call = async (argv: readonly string[]): Promise<ClientAnswer> => {
    const { promise, resolve } = Promise.withResolvers<ClientAnswer>();
    const child = execFile(docker, argv, { env, cwd: dir.path, timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ argv, code, stdout: normalise(stdout, place), stderr: normalise(stderr, place) });
    });
    child.stdin?.end();
    return await promise;
  };
  const { stdout: version } = await call(["--version"]);
  const lines = [JSON.stringify({ client: version.trim(), nowSeconds })];
  for (const argv of await clientCalls()) {
    const kept = argv.join(" ").startsWith(again ?? "") ? undefined : known.get(argv.join("\0"));
    lines.push(JSON.stringify(kept ?? (await call(argv))));
  }
  writeFileSync(recordingPath, `${lines.join("\n")}\n`);
}

const [docker, again] = process.argv.slice(2);
if (docker === undefined) throw new Error("Cannot record: the path of a docker client was wanted");
await main(docker, again);
