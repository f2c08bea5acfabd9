import { join } from "node:path";
import { test } from "node:test";
import { runProgramOk } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { repeatTests, skipMachine } from "./repeat-tests.ts";

test("another host: pure cgroup v2, quotas, SCTP, ipvlan, NFS", { skip: skipMachine }, async (t) => {
  await using dir = await openTempDir("hawser-vm-quota-");
  const disk = join(dir.path, "quota.ext4");
  const features = ["-O", "quota,project", "-E", "quotatype=prjquota"];
  await runProgramOk(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", ...features, disk, "128M"]);
  await repeatTests(t, { disks: [disk] });
});
