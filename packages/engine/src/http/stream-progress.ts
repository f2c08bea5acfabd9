import type { ProgressMessage } from "@hawser/api";
import { Fault } from "@hawser/base";
import type { ApiResponse, ResponseStream } from "./response.ts";

/**
 * Send events as lines of JSON. A failure before the first of them is the answer, with its status; one that comes later is
 * told in the stream.
 *
 * @param options.atOnce the head leaves before anything happens, as Docker does it for `load`
 */
export async function streamProgress<T>(
  response: ApiResponse,
  events: AsyncIterable<T>,
  options: { readonly atOnce?: boolean; readonly format: (event: T) => readonly ProgressMessage[] },
): Promise<void> {
  const open = () => response.openStream(200, { contentType: "application/json" });
  let stream: ResponseStream | undefined = options.atOnce === true ? open() : undefined;
  try {
    for await (const event of events) {
      stream ??= open();
      for (const message of options.format(event)) await stream.writeJson(message);
    }
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (stream === undefined || fault.kind === "canceled") throw fault;
    await stream.writeJson(formatFailure(fault));
    if (fault.kind === "internal") {
      stream.end();
      throw fault; // for the log
    }
  }
  (stream ?? open()).end();
}

function formatFailure({ message }: Fault): ProgressMessage {
  return { errorDetail: { message }, error: message };
}
