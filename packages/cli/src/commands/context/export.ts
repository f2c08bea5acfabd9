import { closeSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, type TarSource, writeTar } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { ContextStore, formatMeta } from "../../contexts/context-store.ts";
import { sourceContext } from "../../contexts/docker-endpoint.ts";
import { cliFaults } from "../../faults.ts";
import { warnLine, write } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT [FILE|-]",
  flags: {},
  arguments: { min: 1, max: 2 },
  async run({ args, session }) {
    const [name = "", target = `${name}.dockercontext`] = args;
    const { context, tls } = sourceContext(session, new ContextStore(session.configDir), name);
    if (target === "-" && session.stdout.isTTY === true) {
      throw cliFaults.OUTPUT_IS_TERMINAL("cowardly refusing to export to a terminal, specify a file path");
    }
    const files = Object.entries(tls);
    const entries: TarSource[] = [
      { path: "meta.json", type: "file", mode: 0o644, content: Buffer.from(formatMeta(context)) },
      ...(files.length === 0 ? [] : ["tls", "tls/docker"]).map(
        (path): TarSource => ({ path, type: "directory", mode: 0o700 }),
      ),
      ...files.map(
        ([file, content]): TarSource => ({ path: `tls/docker/${file}`, type: "file", mode: 0o600, content }),
      ),
    ];
    if (target === "-") {
      for await (const chunk of writeTar(entries)) await write(session.stdout, chunk);
      return 0;
    }
    const fd = createFile(resolve(session.workingDir, target), target);
    try {
      for await (const chunk of writeTar(entries)) writeSync(fd, chunk);
    } finally {
      closeSync(fd);
    }
    await warnLine(session, `Written file "${target}"`);
    return 0;
  },
});

/** There are keys in it: it is the user's alone, and never somebody else's file. */
function createFile(path: string, shown: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    const errno = errnoOf(error);
    const why = errno === "EEXIST" ? "file exists" : errno === "ENOENT" ? "no such file or directory" : errno;
    throw cliFaults.FILE_UNREADABLE(`open ${shown}: ${why}`).because(error);
  }
}
