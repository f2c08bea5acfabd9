import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clients, runClient, useTarget } from "./kit-target.ts";

const target = useTarget();

for (const client of clients) {
  describe(`run, by ${client.name}`, () => {
    const run = (args: readonly string[], input?: string) =>
      runClient(target, client, { args: ["run", "--rm", ...args], ...(input !== undefined && { input }) });

    test("ends with the program's exit code and shows both its streams", async () => {
      const result = await run(["busybox", "sh", "-c", "echo out; echo err >&2; exit 7"]);
      assert.deepEqual(result, { exitCode: 7, stdout: "out\n", stderr: "err\n" });
    });

    test("ends with 128 and the signal's number when a signal ended the program", async () => {
      const { exitCode } = await run(["--init", "busybox", "sh", "-c", "kill -9 $$"]);
      assert.equal(exitCode, 137);
    });

    test("ends with 127 when there is no such program, and leaves no container", async () => {
      const { exitCode, stdout, stderr } = await run(["--name", "none", "busybox", "nosuch"]);
      assert.equal(exitCode, 127);
      assert.equal(stdout, "");
      assert.match(stderr, /exec: "nosuch": executable file not found in \$PATH/);
      assert.equal(await target.ok("ps", "-aq", "--filter", "name=none"), "");
    });

    test("ends with 127 when there is no such file", async () => {
      const { exitCode, stderr } = await run(["busybox", "/no/such"]);
      assert.equal(exitCode, 127);
      assert.match(stderr, /\/no\/such.*no such file or directory/);
    });

    test("ends with 126 when the program may not be run", async () => {
      const { exitCode, stderr } = await run(["busybox", "/etc/passwd"]);
      assert.equal(exitCode, 126);
      assert.match(stderr, /permission denied/);
    });

    test("ends with 125 when the engine refuses", async () => {
      const { exitCode, stderr } = await run(["--memory", "1k", "busybox", "true"]);
      assert.equal(exitCode, 125);
      assert.match(stderr, /Minimum memory limit allowed is 6MB/);
    });

    test("ends with 125 when a flag is unknown or wrong", async () => {
      const unknown = await run(["--nosuch", "busybox", "true"]);
      assert.equal(unknown.exitCode, 125);
      assert.match(unknown.stderr, /unknown flag: --nosuch/);
      assert.equal((await run(["--user"])).exitCode, 125);
    });

    test("gives its input to the program with -i, and none without", async () => {
      assert.equal((await run(["-i", "busybox", "cat"], "given\n")).stdout, "given\n");
      assert.equal((await run(["busybox", "cat"], "given\n")).stdout, "");
    });

    test("says the container's id with -d, at once", async () => {
      const { stdout } = await runClient(target, client, { args: ["run", "-d", "busybox", "sleep", "60"] });
      assert.match(stdout, /^[0-9a-f]{64}\n$/);
      assert.equal((await target.inspect(stdout.trim()))["State"]?.["Running"], true);
      await target.ok("rm", "-f", stdout.trim());
    });

    test("shows only the streams that -a names", async () => {
      const { stdout, stderr } = await run(["-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2"]);
      assert.deepEqual([stdout, stderr], ["", "err\n"]);
    });

    test("passes a large output on whole", async () => {
      const { stdout } = await run(["busybox", "sh", "-c", "yes 0123456789abcde | head -c 3000000"]);
      assert.equal(stdout.length, 3_000_000);
    });
  });
}
