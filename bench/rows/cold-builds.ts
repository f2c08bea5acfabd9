import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk, startProgram } from "../../test/e2e/kit-process.ts";
import { root } from "../../tools/tree.ts";
import { makeNodeBase, writeNpmApp } from "../npm-app.ts";
import type { Row } from "../row.ts";
import { measureBuilds } from "./builds.ts";

/** On the loopback interface: from containers it is reached as any other address of the host's. */
const [mirrorAddress, mirrorPort] = ["10.222.0.1", "4873"];

/** A Node application in three stages, its 68 packages from a mirror on this machine; nothing is taken from a cache. */
export const buildCold: Row = {
  name: "build-cold",
  title: "`build --no-cache` of a Node application in 3 stages, packages from a local mirror",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1.3, podman: 2 } },
  async run(context) {
    await using dir = await openTempDir("hawser-bench-npm-");
    const mirror = join(dir.path, "mirror");
    await mkdir(mirror);
    const base = await makeNodeBase(dir.path);
    for (const { client, name } of context.peers.values()) {
      // Both clients of Hawser's have the same engine.
      if (name !== "hawser-cli" || !context.peers.has("hawser"))
        await runCommandOk([...client, "import", base, "node-base"], { timeoutMs: 300_000 });
    }
    await runCommandOk(["ip", "address", "replace", `${mirrorAddress}/32`, "dev", "lo"]);
    const listen = `${mirrorAddress}:${mirrorPort}`;
    const server = await startProgram(
      [join(root, "build/busybox/busybox"), "httpd", "-f", "-p", listen, "-h", mirror],
      { log: join(dir.path, "log") },
    );
    try {
      return await measureBuilds(
        context,
        async (folder) => {
          const app = await writeNpmApp(folder, { mirror, address: `http://${listen}` });
          let count = 0;
          return () => app.setVersion(`1.0.${count++}`); // so that no layer is one that was there before
        },
        ["--no-cache"],
      );
    } finally {
      await server.kill("SIGTERM");
    }
  },
};

/** Eight stages that do not need each other: as many at once as there are processors. */
export const buildStages: Row = {
  name: "build-stages",
  title: "`build --no-cache` of 8 stages of pure computing that do not need each other",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1 } },
  run: (context) =>
    measureBuilds(
      context,
      async (folder) => {
        const count = 'i=0; while [ "$i" -lt 400000 ]; do i=$((i+1)); done; echo "$i"';
        const stages = Array.from(
          { length: 8 },
          (_, at) => `FROM idle AS s${at}\nRUN ${count} > /made${at}\n`,
        );
        const copies = stages.map((_, at) => `COPY --from=s${at} /made${at} /\n`);
        await writeFile(join(folder, "Dockerfile"), `${stages.join("")}FROM idle\n${copies.join("")}`);
        return async () => {};
      },
      ["--no-cache"],
    ),
};
