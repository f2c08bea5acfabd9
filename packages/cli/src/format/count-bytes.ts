import { type Output, write } from "../session.ts";
import { formatHumanSize } from "./humanize.ts";

const stepBytes = 1 << 20;

/** The same bytes; on a terminal, how many have gone by is shown meanwhile. */
export async function* countBytes(
  body: AsyncIterable<Uint8Array>,
  out: Output,
): AsyncGenerator<Uint8Array, void, undefined> {
  let passed = 0;
  let shown = 0;
  const show = async () => {
    shown = passed;
    if (out.isTTY === true) await write(out, `\r\x1b[2K${formatHumanSize(passed)}`);
  };
  for await (const chunk of body) {
    passed += chunk.length;
    if (passed - shown >= stepBytes) await show();
    yield chunk;
  }
  await show();
  if (out.isTTY === true) await write(out, "\n");
}
