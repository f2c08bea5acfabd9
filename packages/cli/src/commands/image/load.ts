import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { showProgress } from "../../format/progress.ts";
import { platformJsonQuery } from "../../options/platform-option.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    input: stringFlag("Read from tar archive file, instead of STDIN", { short: "i" }),
    platform: stringFlag(
      'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: boolFlag("Suppress the load output", { short: "q" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (flags.input === "" && session.stdin.isTTY) {
      throw cliFaults.OUTPUT_IS_TERMINAL("requested load from stdin, but stdin is empty");
    }
    const bytes = flags.input === "" ? session.stdin : openArchive(flags.input, session.workingDir);
    const client = await session.connect();
    const { body } = await client.send({
      method: "POST",
      path: "/images/load",
      query: {
        quiet: flags.quiet || !session.stdout.isTTY,
        ...platformJsonQuery(flags.platform),
      },
      bytes,
    });
    await showProgress(body, session.stdout);
    return 0;
  },
});

/** A file to send. @throws {Fault} `not-found` with the system's words */
export function openArchive(path: string, workingDir: string): AsyncIterable<Uint8Array> {
  const place = resolve(workingDir, path);
  try {
    statSync(place);
  } catch (error) {
    const errno = errnoOf(error);
    const why = errno === "ENOENT" ? "no such file or directory" : (errno ?? String(error));
    throw cliFaults.FILE_UNREADABLE(`open ${path}: ${why}`).because(error);
  }
  return createReadStream(place, { highWaterMark: 1 << 20 });
}
