import { test } from "node:test";
import { repeatTests, skipMachine } from "./repeat-tests.ts";

test("a host with pure cgroup v2, in a virtual machine", { skip: skipMachine }, async (t) => {
  await repeatTests(t, { files: ["test/vm/guest/cgroup-v2.ts"] });
});
