import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { sendDatagram } from "@hawser/linux";
import type { LogDriver, LogMessage, LogSubject } from "./log-driver.ts";

const journalSocket = "/run/systemd/journal/socket";

/** To systemd's journal on this host, by its native protocol. */
export const journaldDriver: LogDriver = {
  options: [],
  check() {},
  open: (_options, subject) => openJournal(subject, journalSocket),
};

/** @param socket where the journal listens */
export async function openJournal(subject: LogSubject, socket: string) {
  if (!existsSync(socket)) throw new Error("journald is not enabled on this host");
  const epoch = randomBytes(32).toString("hex");
  let ordinal = 0;
  return {
    async send(messages: readonly LogMessage[]) {
      for (const message of messages) {
        ordinal += 1;
        sendDatagram(socket, formatJournalEntry(message, subject, { epoch, ordinal }));
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * One entry: a field a line, `NAME=value`; a value of several lines as `NAME`, its size in 8 bytes little-endian, and itself.
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
export function formatJournalEntry(
  { text, stream, time, part }: LogMessage,
  subject: LogSubject,
  place: { readonly epoch: string; readonly ordinal: number },
): Buffer {
  const fields: (readonly [string, string])[] = [
    ["MESSAGE", text],
    ["PRIORITY", stream === "stderr" ? "3" : "6"],
    ["CONTAINER_ID", subject.containerId.slice(0, 12)],
    ["CONTAINER_ID_FULL", subject.containerId],
    ["CONTAINER_NAME", subject.containerName],
    ["CONTAINER_TAG", subject.tag],
    ["IMAGE_NAME", subject.imageName],
    ["SYSLOG_IDENTIFIER", subject.tag],
    ["SYSLOG_TIMESTAMP", time],
    ["CONTAINER_LOG_EPOCH", place.epoch],
    ["CONTAINER_LOG_ORDINAL", String(place.ordinal)],
    ...Object.entries(subject.attributes).map(([name, value]) => [fieldName(name), value] as const),
  ];
  if (part !== undefined) {
    fields.push(["CONTAINER_PARTIAL_ID", part.id], ["CONTAINER_PARTIAL_ORDINAL", String(part.ordinal)]);
    fields.push(["CONTAINER_PARTIAL_LAST", String(part.isLast)]);
    if (!part.isLast) fields.push(["CONTAINER_PARTIAL_MESSAGE", "true"]);
  }
  return Buffer.concat(fields.filter(([name]) => name !== "").map(formatField));
}

function formatField([name, value]: readonly [string, string]): Buffer {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from("\n")]);
}

/** The journal's own fields begin with an underscore: nobody else's may. */
function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "_")
    .replace(/^_+/, "");
}
