import type { ContainerInspect } from "@hawser/api";
import { FrameDecoder } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { parseTimestamp } from "../../options/timestamp.ts";
import { type Output, type Session, write } from "../../session.ts";
import { containerPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  flags: {
    details: boolFlag("Show extra details provided to logs"),
    follow: boolFlag("Follow log output", { short: "f" }),
    since: stringFlag(
      'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
    tail: stringFlag("Number of lines to show from the end of the logs", { short: "n", initial: "all" }),
    timestamps: boolFlag("Show timestamps", { short: "t" }),
    until: stringFlag(
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const { Id: id, Config: config } = await client.json<ContainerInspect>({
      method: "GET",
      path: containerPath(args[0] ?? "", "json"),
    });
    const { body } = await client.send({
      method: "GET",
      path: containerPath(id, "logs"),
      query: {
        stdout: true,
        stderr: true,
        since: timeQuery("since", { text: flags.since, session }),
        until: timeQuery("until", { text: flags.until, session }),
        timestamps: flags.timestamps || undefined,
        follow: flags.follow || undefined,
        details: flags.details || undefined,
        tail: flags.tail,
      },
    });
    if (config.Tty === true) {
      for await (const chunk of body) await write(session.stdout, chunk);
    } else await writeFrames(body, session);
    return 0;
  },
});

function timeQuery(
  name: string,
  options: { readonly text: string; readonly session: Session },
): string | undefined {
  if (options.text === "") return undefined;
  try {
    return parseTimestamp(options.text, options.session.now());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw cliFaults.VALUE_INVALID(`invalid value for "${name}": ${why}`);
  }
}

async function writeFrames(body: AsyncIterable<Buffer>, session: Session): Promise<void> {
  const decoder = new FrameDecoder();
  for await (const chunk of body) {
    for (const { stream, payload } of decoder.decode(chunk)) {
      if (stream === "error")
        throw cliFaults.STREAM_FAILED(`Error from daemon in stream: ${payload.toString()}`);
      const target = stream === "stderr" ? session.stderr : session.stdout;
      if (!target.write(payload)) await drained(target);
    }
  }
}

async function drained(stream: Output): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("drain", resolve);
  await promise;
}
