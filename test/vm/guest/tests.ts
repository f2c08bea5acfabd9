import { mkdirSync } from "node:fs";
import { before } from "node:test";
import { runProgramOk } from "@hawser/base";
import { cgroupTests } from "./cgroup-v2.ts";
import { Engine } from "./engine.ts";
import { networkTests } from "./networks.ts";
import { quotaTests } from "./quota.ts";

/** All tests, with one engine; its data root is on the machine's third disk, which has project quotas. */
const engine = new Engine();

before(async () => {
  const root = "/var/lib/hawser";
  mkdirSync(root, { recursive: true });
  await runProgramOk(["mount", "-o", "prjquota", "/dev/nvme2n1", root]);
  await engine.start();
  await engine.ok("run", "--rm", "busybox", "true");
});

networkTests(engine);
quotaTests(engine);
cgroupTests(engine);
