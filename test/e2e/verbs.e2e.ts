import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "./kit-process.ts";
import { clients, runClient, useTarget } from "./kit-target.ts";

/** Verbs whose output is the same by every client, that stand in no file of their own. */
const target = useTarget();

for (const client of clients) {
  describe(`verbs, by ${client.name}`, () => {
    const call = (args: readonly string[], input?: string) =>
      runClient(target, client, { args, ...(input !== undefined && { input }) });
    const ok = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await call(args);
      assert.deepEqual([exitCode, stderr], [0, ""], args.join(" "));
      return stdout;
    };
    const refused = async (...args: string[]) => {
      const { exitCode, stderr } = await call(args);
      assert.equal(exitCode, 1, args.join(" "));
      return stderr;
    };
    before(() => target.ok("run", "-d", "--name", "box", "busybox", "sleep", "600"));
    after(() => target.ok("rm", "-f", "box"));

    test("pause, unpause, rename, top", async () => {
      assert.equal(await ok("pause", "box"), "box\n");
      assert.match(await ok("ps"), / \(Paused\) /);
      assert.equal(await ok("unpause", "box"), "box\n");
      assert.match(await refused("unpause", "box"), /is not paused/);
      assert.equal(await ok("rename", "box", "other"), "");
      assert.equal(await ok("rename", "other", "box"), "");
      const [titles = "", ...processes] = (await ok("top", "box")).trimEnd().split("\n");
      assert.match(titles, /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
      assert.match(processes.join(), /sleep 600/);
      assert.match(await ok("top", "box", "-o", "pid,cmd"), /^PID +CMD\n\d+ +sleep 600\n$/);
    });

    test("update changes limits and restart policy", async () => {
      assert.equal(
        await ok("update", "--memory", "64m", "--memory-swap", "64m", "--restart", "always", "box"),
        "box\n",
      );
      const format = "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}";
      assert.equal(await ok("inspect", "-f", format, "box"), "67108864 always\n");
      await ok("update", "--restart", "no", "box");
      assert.match(await refused("update", "box"), /you must provide one or more flags/);
      assert.match(await refused("update", "--memory", "1", "box"), /[Mm]inimum memory limit/);
    });

    test("diff, commit, history, export, save", async () => {
      await using dir = await openTempDir();
      await target.ok("exec", "box", "sh", "-c", "echo new >/added; rm /bin/ls");
      const changes = await ok("diff", "box");
      assert.deepEqual(
        changes.split("\n").filter((line) => /added|bin/.test(line)),
        ["A /added", "C /bin", "D /bin/ls"],
      );
      const args = ["-m", "why", "-a", "who", "-c", 'CMD ["cat","/added"]'];
      const id = (await ok("commit", ...args, "box", "made:1")).trim();
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      assert.equal(await ok("run", "--rm", "made:1"), "new\n");
      const [header = "", top = ""] = (await ok("history", "made:1")).split("\n");
      assert.match(header, /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$/);
      assert.match(top, /^[0-9a-f]{12} .* ago +.* why$/);
      assert.equal((await ok("history", "-q", "--no-trunc", "made:1")).split("\n")[0], id);

      await ok("export", "-o", join(dir.path, "tree.tar"), "box");
      assert.match(await runCommandOk(["tar", "-xOf", join(dir.path, "tree.tar"), "added"]), /^new$/m);
      await ok("save", "-o", join(dir.path, "image.tar"), "made:1");
      const list = await runCommandOk(["tar", "-xOf", join(dir.path, "image.tar"), "manifest.json"]);
      assert.deepEqual((JSON.parse(list) as { RepoTags: string[] }[])[0]?.RepoTags, ["made:1"]);
      await ok("rmi", "made:1");
      assert.match(await ok("load", "-i", join(dir.path, "image.tar")), /Loaded image: made:1/);
      await ok("rmi", "made:1");
      assert.match(await refused("save", "-o", join(dir.path, "none.tar"), "no-such"), /No such image/);
      assert.equal(existsSync(join(dir.path, "none.tar")), false);
    });

    test("volumes", async () => {
      assert.equal(await ok("volume", "create", "--label", "a=b", "data"), "data\n");
      assert.match(await ok("volume", "create"), /^[0-9a-f]{64}\n$/);
      assert.match(await ok("volume", "ls", "-f", "label=a"), /^DRIVER +VOLUME NAME\nlocal +data\n$/);
      assert.equal(await ok("volume", "inspect", "-f", "{{.Labels.a}} {{.Scope}}", "data"), "b local\n");
      await target.ok("create", "--name", "user", "-v", "data:/x", "busybox");
      assert.match(await refused("volume", "rm", "data"), /volume is in use/);
      await target.ok("rm", "user");
      const pruned = await ok("volume", "prune", "-f", "--filter", "label!=a");
      assert.match(pruned, /^Deleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B\n$/);
      assert.equal(await ok("volume", "rm", "data"), "data\n");
      assert.match(await refused("volume", "inspect", "data"), /no such volume/i);
    });

    test("prunes ask first, and tell what went", async () => {
      await target.ok("create", "--name", "old", "busybox");
      const no = await call(["container", "prune"], "n\n");
      assert.match(no.stdout, /^WARNING! This will remove all stopped containers\.\nAre you sure/);
      assert.match(await ok("ps", "-aq", "-f", "name=old"), /^[0-9a-f]{12}\n$/);
      const yes = await call(["container", "prune"], "y\n");
      assert.equal(yes.exitCode, 0);
      assert.match(yes.stdout, /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: \d/);
      assert.equal(await ok("container", "prune", "-f"), "Total reclaimed space: 0B\n");
      assert.match(await ok("image", "prune", "-f"), /^Total reclaimed space: 0B\n$/);
    });
  });
}
