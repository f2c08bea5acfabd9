import { joinStreams } from "../../attached-streams.ts";
import { defineCommand } from "../../command.ts";

/** What a client on another machine starts through ssh: our standard streams are its connection to the engine. */
export const command = defineCommand({
  usage: "",
  description: "Proxy the stdio stream to the daemon connection. Should not be invoked manually.",
  flags: {},
  arguments: { min: 0, max: 0 },
  async run({ session }) {
    const client = await session.connect();
    const socket = await client.openSocket();
    await joinStreams({
      socket,
      tty: true, // as it is, without frames
      stdin: session.stdin,
      stdout: session.stdout,
      detachKeys: Buffer.alloc(0),
    });
    return 0;
  },
});
