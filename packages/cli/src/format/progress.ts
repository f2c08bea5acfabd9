import type { ProgressMessage } from "@hawser/api";
import { splitJson } from "@hawser/api/client";
import { cliFaults } from "../faults.ts";
import { type Output, write } from "../session.ts";
import { formatHumanSize } from "./humanize.ts";

/**
 * Show the messages of a pull, load or import as they come. On a terminal each layer keeps its line; elsewhere only changes of
 * state are written, a line each; without `out` nothing is.
 *
 * @throws {Fault} `internal` with the engine's words for a failure told in the stream.
 */
export async function showProgress(
  body: AsyncIterable<Uint8Array>,
  out: Output | undefined,
  options: { readonly onAux?: (aux: unknown) => void } = {},
): Promise<void> {
  const lines = new Map<string, number>();
  for await (const text of splitJson(body)) {
    const message = JSON.parse(text) as ProgressMessage;
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw cliFaults.STREAM_FAILED(failure);
    if (message.aux !== undefined) options.onAux?.(message.aux);
    if (out === undefined) continue;
    const shown = out.isTTY ? onTerminal(message, lines) : asLine(message);
    if (shown !== "") await write(out, shown);
  }
}

function asLine(message: ProgressMessage): string {
  if (progressText(message) !== "") return "";
  const id = message.id ? `${message.id}: ` : "";
  if (message.stream) return `${id}${message.stream}`;
  return message.status === undefined ? "" : `${id}${message.status}\n`;
}

function onTerminal(message: ProgressMessage, lines: Map<string, number>): string {
  if (message.stream) return message.stream;
  if (message.status === undefined) return "";
  const { id } = message;
  if (!id) {
    lines.clear();
    return `${message.status}\n`;
  }
  const progress = progressText(message);
  const text = `${id}: ${message.status}${progress === "" ? "" : ` ${progress}`}`;
  let line = lines.get(id);
  if (line === undefined) {
    line = lines.size;
    lines.set(id, line);
    return `${text}\n`;
  }
  const up = lines.size - line;
  return `\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`;
}

const barColumns = 50;

function progressText(message: ProgressMessage): string {
  const { current = 0, total = 0 } = message.progressDetail ?? {};
  if (current <= 0 && total <= 0) return "";
  const done = formatHumanSize(current).padStart(8);
  if (total <= 0) return done;
  const filled = Math.min(barColumns, Math.floor((current / total) * barColumns));
  const bar = `${"=".repeat(filled)}${filled < barColumns ? ">" : ""}`.padEnd(barColumns);
  return `[${bar}] ${done}/${formatHumanSize(total)}`;
}
