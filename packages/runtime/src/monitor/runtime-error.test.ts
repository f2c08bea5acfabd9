import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeFault } from "./runtime-error.ts";

const create = "failed to create task for container: failed to create shim task: OCI runtime create failed";
const start = `${create}: unable to start container process`;

/** What crun 1.8.1 and runc 1.1.5 wrote for each cause, and what Docker's clients are told. */
const cases = [
  {
    cause: "a command that is nowhere in $PATH",
    program: "nope",
    crun: "executable file `nope` not found in $PATH: No such file or directory",
    runc: 'exec: \\"nope\\": executable file not found in $PATH',
    told: `${start}: exec: "nope": executable file not found in $PATH: unknown`,
  },
  {
    cause: "a path without a file",
    program: "/bin/nope",
    crun: "executable file `/bin/nope` not found in $PATH: No such file or directory",
    runc: 'exec: \\"/bin/nope\\": stat /bin/nope: no such file or directory',
    told: `${start}: exec: "/bin/nope": stat /bin/nope: no such file or directory: unknown`,
  },
  {
    cause: "a file that may not be executed",
    program: "/bin/noexec",
    crun: "open executable: Permission denied",
    runc: 'exec: \\"/bin/noexec\\": permission denied',
    told: `${start}: exec: "/bin/noexec": permission denied: unknown`,
  },
  {
    cause: "a folder",
    program: "/bin/dir",
    crun: "open executable: Operation not permitted",
    runc: 'exec: \\"/bin/dir\\": permission denied',
    told: `${start}: exec: "/bin/dir": permission denied: unknown`,
  },
  {
    cause: "a file in $PATH that may not be executed",
    program: "noexec",
    crun: "open executable: Permission denied",
    runc: 'exec: \\"noexec\\": executable file not found in $PATH',
    told: `${start}: exec: "noexec": executable file not found in $PATH: unknown`,
  },
];

for (const { cause, program, crun, runc, told } of cases) {
  test(`told in the same words by crun and runc: ${cause}`, () => {
    const line = `time="2026-11-23T19:07:13Z" level=error msg="runc run failed: unable to start container process: ${runc}"\n`;
    for (const text of [crun, line]) {
      const fault = runtimeFault({ text, verb: "create", program });
      assert.equal(fault.message, told);
      assert.equal(fault.kind, "invalid-argument");
    }
  });
}

test("a working directory, a mount source and a mount target that do not fit", () => {
  const told = (text: string) => runtimeFault({ text, verb: "create", program: "id" });
  assert.equal(
    told("chdir `/bin/sh`: Not a directory").message,
    `${start}: chdir to cwd ("/bin/sh") set in config.json failed: not a directory: unknown`,
  );
  assert.match(
    told("error stat'ing file `/nonexist`: No such file or directory").message,
    /error mounting "\/nonexist": stat \/nonexist: no such file or directory: unknown$/,
  );
  assert.match(
    told("mount `/etc/passwd` to `etc`: Not a directory").message,
    /error mounting "\/etc\/passwd" to rootfs at "\/etc": not a directory: Are you trying to mount a directory onto a file \(or vice-versa\)\?/,
  );
});

test("only the last line counts, and what nobody but us can be to blame for is internal", () => {
  const text =
    "warning of something\nOOM: the memory limit could be too low: read from sync socket: Connection reset by peer\n";
  const fault = runtimeFault({ text, verb: "create" });
  assert.equal(fault.kind, "internal");
  assert.equal(
    fault.message,
    `${start}: OOM: the memory limit could be too low: read from sync socket: Connection reset by peer: unknown`,
  );
});

test("an exec says exec", () => {
  const text =
    'time="…" level=error msg="exec failed: unable to start container process: exec: \\"nope\\": executable file not found in $PATH"';
  const told =
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown';
  assert.equal(runtimeFault({ text, verb: "exec" }).message, told);
  const crun = "executable file `nope` not found in $PATH: No such file or directory";
  assert.equal(runtimeFault({ text: crun, verb: "exec" }).message, told);
});

test("a runtime that says nothing", () => {
  assert.match(runtimeFault({ text: "\n", verb: "create" }).message, /gave no reason: unknown$/);
});
