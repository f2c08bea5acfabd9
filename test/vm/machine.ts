import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openTempDir } from "@hawser/base/testing";
import { parseReportLine, type ReportLine } from "./report.ts";
import type { RootImage } from "./root-image.ts";
import { writeTreeImage } from "./tree-image.ts";

/** A virtual machine without any network device that runs the tests of `guest/tests.ts` and then powers off. */
export interface Machine extends AsyncDisposable {
  /** Its report, ending after `end`. @throws {Error} with what the console said when it stops before. */
  report(): AsyncIterable<ReportLine>;
  /** What the kernel and the programs that write to the console have said since the last call. */
  readConsole(): Promise<string>;
}

export interface MachineOptions {
  readonly image: RootImage;
  /** Disk images beside, from `/dev/nvme2n1` on. What is written to them is lost. */
  readonly disks?: readonly string[];
  /** Ends the machine. */
  readonly signal: AbortSignal;
}

/**
 * Boot a machine: emulated in software (no /dev/kvm is asked for), two processors, 2 GiB. What it writes to its disks is
 * lost. It ends with this process, and with disposal.
 */
export async function bootMachine(options: MachineOptions): Promise<Machine> {
  const { image, disks = [], signal } = options;
  await using made = new AsyncDisposableStack();
  const dir = made.use(await openTempDir("hawser-vm-"));
  const tree = await writeTreeImage(dir.path, { signal });
  const consoleLog = join(dir.path, "console.log");
  const kernelArguments = "console=ttyS0 loglevel=4 mitigations=off panic=-1 root=/dev/nvme0n1 rw init=/init";
  const qemu = [
    ..."qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048".split(" "),
    ..."-nodefaults -no-reboot -display none -device nvme,drive=root,serial=root".split(" "),
    ..."-device nvme,drive=tree,serial=tree -chardev stdio,id=report,signal=off".split(" "),
    "-drive",
    `file=${image.disk},format=raw,if=none,id=root,snapshot=on`,
    "-drive",
    `file=${tree},format=raw,if=none,id=tree,readonly=on`,
    ...disks.flatMap((disk, index) => [
      "-device",
      `nvme,drive=disk${index},serial=disk${index}`,
      "-drive",
      `file=${disk},format=raw,if=none,id=disk${index},snapshot=on`,
    ]),
    "-kernel",
    image.kernel,
    "-append",
    kernelArguments,
    "-serial", // the first one is the console
    `file:${consoleLog}`,
    "-serial",
    "chardev:report",
  ];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...qemu], {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  child.on("error", () => {}); // the signal; a program that is missing is seen in `complaints`
  child.on("close", resolve);
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  made.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const kept = made.move();
  let consoleRead = 0;
  const readConsole = async () => {
    const text = await readFile(consoleLog, "utf8").catch(() => "");
    const fresh = text.slice(consoleRead).replaceAll("\r", "").trimEnd();
    consoleRead = text.length;
    return fresh;
  };

  return {
    async *report() {
      let complete = false;
      for await (const text of createInterface({ input: child.stdout })) {
        const line = parseReportLine(text);
        yield line;
        if (line.kind === "end") complete = true;
      }
      await ended;
      if (complete) return;
      const why = signal.aborted ? "it was stopped" : `exit code ${child.exitCode}`;
      throw new Error(`the machine ended early (${why})\n${complaints}its console:\n${await readConsole()}`);
    },
    readConsole,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
