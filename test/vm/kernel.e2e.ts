import { join } from "node:path";
import { test } from "node:test";
import { runProgramOk } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { repeatTests, skipMachine } from "./repeat-tests.ts";

test("what a kernel may lack: quotas, SCTP, ipvlan, NFS", { skip: skipMachine }, async (t) => {
  await using dir = await openTempDir("hawser-kernel-");
  const disk = join(dir.path, "quota.ext4");
  const features = ["-O", "quota,project", "-E", "quotatype=prjquota"];
  await runProgramOk(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", ...features, disk, "128M"]);
  await repeatTests(t, { files: ["test/vm/guest/kernel.ts"], disks: [disk] });
});
