import { randomBytes } from "node:crypto";
import type { LogEntry } from "../log-entry.ts";
import type { LogMessage } from "./log-driver.ts";

/** Makes messages of a log's entries, and knows which of them are parts of one line. */
export class MessageMaker {
  readonly #open = new Map<LogEntry["stream"], { readonly id: string; ordinal: number }>();

  make({ text, stream, time }: LogEntry): LogMessage {
    const isEnd = text.endsWith("\n");
    const line = isEnd ? text.slice(0, -1) : text;
    let parts = this.#open.get(stream);
    if (parts === undefined) {
      if (isEnd) return { text: line, stream, time };
      parts = { id: randomBytes(32).toString("hex"), ordinal: 0 };
      this.#open.set(stream, parts);
    }
    parts.ordinal += 1;
    if (isEnd) this.#open.delete(stream);
    return { text: line, stream, time, part: { id: parts.id, ordinal: parts.ordinal, isLast: isEnd } };
  }
}
