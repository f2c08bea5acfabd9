import { mkdirSync } from "node:fs";
import { before } from "node:test";
import { runProgramOk } from "@hawser/base";
import { Engine } from "./engine.ts";
import { networkTests } from "./networks.ts";
import { quotaTests } from "./quota.ts";

/** What a kernel may lack, with the data root on the machine's third disk, which has project quotas. */
const engine = new Engine();

before(async () => {
  const root = "/var/lib/hawser";
  mkdirSync(root, { recursive: true });
  await runProgramOk(["mount", "-o", "prjquota", "/dev/nvme2n1", root]);
  await engine.start();
  await engine.ok("run", "--rm", "busybox", "true");
});

quotaTests(engine);
networkTests(engine);
