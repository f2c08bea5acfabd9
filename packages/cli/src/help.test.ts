import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { commands, groups } from "./command-table.ts";
import { runClient } from "./testing/run-client.ts";

const host = "unix:///no/such.sock";

/** Docker's own help texts (28.2.2, 80 columns) with the program's name replaced. */
test("--help is Docker's, word for word", async () => {
  for (const name of ["run", "ps", "exec", "container ls"]) {
    const { code, stdout } = await runClient({ argv: [...name.split(" "), "--help"], host });
    const golden = readFileSync(
      join(import.meta.dirname, "testdata", `help-${name.replace(" ", "-")}.txt`),
      "utf8",
    );
    assert.deepEqual([code, stdout], [0, golden], name);
  }
});

test("every command loads, shows its help, and is listed where it belongs", async () => {
  const { stdout: top } = await runClient({ argv: ["--help"], host });
  for (const { path, short, aliases = [], hidden = false, summary } of commands) {
    const [noun = ""] = path.split(" ");
    const names = [
      path,
      ...aliases.map((alias) => `${noun} ${alias}`),
      ...(short === undefined ? [] : [short]),
    ];
    for (const name of names) {
      const { code, stdout } = await runClient({ argv: [...name.split(" "), "--help"], host });
      assert.equal(code, 0, name);
      assert.ok(stdout.startsWith(`Usage:  hawser ${name}`) && stdout.includes(summary), name);
    }
    if (short !== undefined || noun === path)
      assert.equal(top.includes(`  ${(short ?? path).padEnd(11)} ${summary}\n`), !hidden, path);
  }
  for (const group of Object.keys(groups)) {
    const { stdout } = await runClient({ argv: [group, "--help"], host });
    assert.ok(stdout.startsWith(`Usage:  hawser ${group} COMMAND`), group);
  }
});

test("what is called wrongly is refused in Docker's words", async () => {
  const refusals: readonly (readonly [readonly string[], number, string])[] = [
    [["foo"], 1, "hawser: unknown command: hawser foo\n\nRun 'hawser --help' for more information\n"],
    [
      ["container", "foo"],
      1,
      "hawser: unknown command: hawser container foo\n\nUsage:  hawser container\n\nRun 'hawser container --help' for more information\n",
    ],
    [
      ["--foo", "ps"],
      125,
      "unknown flag: --foo\n\nUsage:  hawser [OPTIONS] COMMAND [ARG...]\n\nRun 'hawser --help' for more information\n",
    ],
    [
      ["run"],
      1,
      "hawser: 'hawser run' requires at least 1 argument\n\nUsage:  hawser run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'hawser run --help' for more information\n",
    ],
    [
      ["ps", "x"],
      1,
      "hawser: 'hawser ps' accepts no arguments\n\nUsage:  hawser ps [OPTIONS]\n\nRun 'hawser ps --help' for more information\n",
    ],
    [
      ["tag", "a"],
      1,
      "hawser: 'hawser tag' requires 2 arguments\n\nUsage:  hawser tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun 'hawser tag --help' for more information\n",
    ],
    [
      ["run", "-Z"],
      125,
      "unknown shorthand flag: 'Z' in -Z\n\nUsage:  hawser run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'hawser run --help' for more information\n",
    ],
  ];
  for (const [argv, code, stderr] of refusals) {
    assert.deepEqual(await runClient({ argv, host }), { code, stdout: "", stderr }, argv.join(" "));
  }
});
