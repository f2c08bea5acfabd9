import { randomBytes } from "node:crypto";
import { Fault, goQuote } from "@hawser/base";
import { decodeMultiStream, Encoder, ExtData } from "@msgpack/msgpack";
import { runtimeFaults } from "../../faults.ts";
import { LogConnection, type Receiver } from "./connection.ts";
import type { LogDriver, LogMessage, LogOptionValues, LogSubject } from "./log-driver.ts";
import { parseLogAddress, parseLogDuration, parseLogFlag, parseLogSize } from "./option-values.ts";

/** To Fluentd and Fluent Bit, by the Forward protocol, version 1. */
export const fluentdDriver: LogDriver = {
  options: [
    "fluentd-address",
    "fluentd-async",
    "fluentd-async-reconnect-interval",
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-sub-second-precision",
    "fluentd-write-timeout",
  ],
  check(options) {
    parseReceiver(options["fluentd-address"] ?? "");
    checkValues(options);
  },
  mayWait: (options) => parseLogFlag(options["fluentd-async"]),
  async open(options, subject) {
    const isPrecise = parseLogFlag(options["fluentd-sub-second-precision"]);
    const wantsAck = parseLogFlag(options["fluentd-request-ack"]);
    const receiver = parseReceiver(options["fluentd-address"] ?? "");
    const connection = await LogConnection.open(receiver, { isAnswered: wantsAck });
    const acks = wantsAck ? decodeMultiStream(connection.socket, ackLimits) : undefined;
    return {
      async send(messages) {
        const chunk = wantsAck ? randomBytes(16).toString("base64") : undefined;
        await connection.write(encodeForward(messages, subject, { isPrecise, ...(chunk && { chunk }) }));
        if (acks !== undefined) await expectAck(acks, chunk);
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  },
};

const refused = (words: string) => runtimeFaults.LOG_OPTION_INVALID(words);

function parseReceiver(text: string): Receiver {
  if (text === "") return { transport: "tcp", host: "127.0.0.1", port: 24_224 };
  const invalid = (why: string) => refused(`invalid fluentd-address (${text}): ${why}`);
  const address = parseLogAddress(text.includes("://") ? text : `tcp://${text}`);
  if (address === undefined) {
    const port = /:(\d+)\/?$/.exec(text)?.[1];
    throw invalid(
      port === undefined
        ? "invalid port"
        : `invalid port: strconv.ParseUint: parsing ${goQuote(port)}: value out of range`,
    );
  }
  const { scheme, host, port = 24_224, path } = address;
  if (scheme === "unix") {
    if (path.replace(/^\/+/, "") === "") throw invalid("path is empty");
    return { transport: "unix", path };
  }
  if (scheme !== "tcp" && scheme !== "tls") throw invalid(`unsupported scheme: '${scheme}'`);
  if (path !== "") throw invalid("should not contain a path element");
  return { transport: scheme, host: host === "" ? "127.0.0.1" : host, port };
}

function checkValues(options: LogOptionValues): void {
  const given = (name: string) => (options[name] === "" ? undefined : options[name]);
  const size = given("fluentd-buffer-limit");
  if (size !== undefined) parseLogSize(size, 1024);
  const wait = given("fluentd-retry-wait");
  if (wait !== undefined) parseLogDuration(wait);
  const retries = given("fluentd-max-retries");
  if (retries !== undefined && !/^\d{1,10}$/.test(retries))
    throw refused(`strconv.ParseUint: parsing ${goQuote(retries)}: invalid syntax`);
  if (Number(retries ?? 0) > 0x7fff_ffff) throw refused("invalid fluentd-max-retries: value out of range");
  parseLogFlag(given("fluentd-async"));
  checkInterval(given("fluentd-async-reconnect-interval"));
  parseLogFlag(given("fluentd-sub-second-precision"));
  parseLogFlag(given("fluentd-request-ack"));
  checkWriteTimeout(given("fluentd-write-timeout"));
}

function checkInterval(text: string | undefined): void {
  if (text === undefined) return;
  const name = "fluentd-async-reconnect-interval";
  const ms = durationOr(text, (why) => refused(`invalid value for ${name}: ${why}`));
  if (ms !== 0 && (ms < 100 || ms > 10_000))
    throw refused(`invalid value for ${name}: value (${goQuote(text)}) must be between 100ms and 10s`);
}

function checkWriteTimeout(text: string | undefined): void {
  if (text === undefined) return;
  const name = "fluentd-write-timeout";
  const ms = durationOr(text, () => refused(`invalid value for ${name}: value must be a duration`));
  if (ms < 0) throw refused(`invalid value for ${name}: value must be a duration that is non-negative`);
}

function durationOr(text: string, fault: (why: string) => Fault): number {
  try {
    return parseLogDuration(text);
  } catch (error) {
    throw fault(Fault.from(error).message);
  }
}

const encoder = new Encoder();

/** Messages in Forward mode: `[tag, [[time, record], …], options]`. */
export function encodeForward(
  messages: readonly LogMessage[],
  subject: LogSubject,
  options: { readonly isPrecise: boolean; readonly chunk?: string },
): Uint8Array {
  const entries = messages.map((message) => [
    options.isPrecise ? eventTime(message.time) : Math.floor(Date.parse(message.time) / 1000),
    recordOf(message, subject),
  ]);
  return encoder.encode([
    subject.tag,
    entries,
    { size: entries.length, ...(options.chunk !== undefined && { chunk: options.chunk }) },
  ]);
}

/** Extension 0 of the protocol: seconds and nanoseconds, 4 bytes each. */
function eventTime(time: string): ExtData {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(Date.parse(time) / 1000), 0);
  bytes.writeUInt32BE(Number(time.slice(20, 29)), 4);
  return new ExtData(0, bytes);
}

function recordOf({ text, stream, part }: LogMessage, subject: LogSubject): Record<string, string> {
  return {
    container_id: subject.containerId,
    container_name: `/${subject.containerName}`,
    source: stream,
    log: text,
    ...subject.attributes,
    ...(part && {
      partial_message: "true",
      partial_id: part.id,
      partial_ordinal: String(part.ordinal),
      partial_last: String(part.isLast),
    }),
  };
}

/** An acknowledgement is a map of one short text. */
const ackLimits = {
  maxStrLength: 256,
  maxBinLength: 256,
  maxExtLength: 256,
  maxArrayLength: 16,
  maxMapLength: 16,
  context: undefined,
} as const;

/** How long a receiver may take to say that it has a batch. */
const ackPatienceMs = 30_000;

async function expectAck(acks: AsyncGenerator<unknown>, chunk: string | undefined): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("the receiver does not acknowledge")), ackPatienceMs);
  try {
    const { value } = await Promise.race([acks.next(), late]);
    const said = (value as { readonly ack?: unknown } | undefined)?.ack;
    if (said !== chunk) throw new Error("the receiver acknowledges something else");
  } finally {
    clearTimeout(timer);
  }
}
