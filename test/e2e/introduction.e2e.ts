import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clients, runClient, useTarget } from "./kit-target.ts";
import { openTerminal } from "./kit-terminal.ts";

/** The examples with which people are introduced to containers, to the letter. */
const target = useTarget({ images: ["hello-world", "ubuntu"] });

for (const client of clients) {
  const terminal = (...args: string[]) =>
    openTerminal([...client.argv, ...args], { env: target.environment() });
  const call = (...args: string[]) => runClient(target, client, { args });

  describe(`the introduction, by ${client.name}`, () => {
    test("run hello-world", async () => {
      const { exitCode, stdout } = await call("run", "hello-world");
      assert.equal(exitCode, 0);
      assert.match(stdout, /Hello from Hawser!/);
    });

    test("run -it ubuntu bash: everything can be deleted, and the next run is untouched", async () => {
      await using first = await terminal("run", "-it", "ubuntu", "bash");
      await first.shows("# ");
      first.write("rm -rf /* 2>/dev/null; ls\r");
      await first.shows(/ls: (command not found|.*No such file)|No such file or directory/);
      first.write("exit\r");
      await first.ended;

      await using second = await terminal("run", "-it", "ubuntu", "bash");
      await second.shows("# ");
      second.write("ls /; grep -c ^root /etc/passwd; exit\r");
      await second.shows(/bin.*etc.*usr.*\r\n1\r\n/s);
      assert.equal(await second.ended, 0);
    });

    test("a change in one container is not in the next", async () => {
      await call("run", "--rm", "ubuntu", "bash", "-c", "echo mine >/etc/motd; useradd x; rm /bin/cat");
      const { stdout } = await call(
        "run",
        "--rm",
        "ubuntu",
        "bash",
        "-c",
        "cat /etc/motd | grep -c mine; test -x /bin/cat && echo there",
      );
      assert.equal(stdout, "0\nthere\n");
    });

    test("run -it --entrypoint=bash", async () => {
      await target.ok("tag", "ubuntu", "python:3.9");
      await using session = await terminal("run", "-it", "--rm", "--entrypoint=bash", "python:3.9");
      await session.shows("# ");
      session.write("echo $0 $((40+2)); exit 7\r");
      await session.shows("bash 42\r\n");
      assert.equal(await session.ended, 7);
    });

    test("a program without a terminal ends when its input ends", async () => {
      const { stdout } = await runClient(target, client, {
        args: ["run", "-i", "--rm", "ubuntu", "bash"],
        input: "echo one\necho two\n",
      });
      assert.equal(stdout, "one\ntwo\n");
    });
  });
}
