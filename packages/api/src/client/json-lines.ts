import { clientFaults } from "./client-faults.ts";

/** No message of a stream of JSON values is longer. */
const maxMessageBytes = 16 << 20;

/**
 * The JSON values of a stream, one a line (`application/jsonl`), or several run together with white space or nothing between
 * them as some engines send them. Each is given as its text.
 *
 * @throws {Fault} `data-loss` when a value has no end within reason, or the stream ends inside one.
 */
export async function* splitJson(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let pending = "";
  const decoder = new TextDecoder();
  let at = 0;
  let depth = 0;
  let inString = false;
  for await (const chunk of body) {
    pending += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (; at < pending.length; at++) {
      const char = pending.charCodeAt(at);
      if (inString) {
        if (char === 92) at++;
        else if (char === 34) inString = false;
        continue;
      }
      if (char === 34) inString = true;
      else if (char === 123 || char === 91) depth++;
      else if (char === 125 || char === 93) {
        depth--;
        if (depth > 0) continue;
        const text = pending.slice(start, at + 1).trim();
        start = at + 1;
        depth = 0;
        if (text !== "") yield text;
      }
    }
    pending = pending.slice(start);
    at -= start;
    if (pending.length > maxMessageBytes) throw clientFaults.BODY_INVALID("a message without an end");
  }
  if (pending.trim() !== "") throw clientFaults.BODY_INVALID("it ended inside a message");
}
