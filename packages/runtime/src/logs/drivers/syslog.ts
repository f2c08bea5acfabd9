import { existsSync, readFileSync, statSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { errnoOf } from "@hawser/base";
import { sendDatagram } from "@hawser/linux";
import { runtimeFaults } from "../../faults.ts";
import { DatagramConnection, LogConnection } from "./connection.ts";
import type { LogDestination, LogDriver, LogMessage, LogOptionValues, LogSubject } from "./log-driver.ts";
import { parseLogAddress } from "./option-values.ts";

/** To a syslog daemon: of this host, or of another by UDP, TCP or TLS. RFC 3164, RFC 5424, RFC 5425. */
export const syslogDriver: LogDriver = {
  options: [
    "syslog-address",
    "syslog-facility",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
    "syslog-format",
  ],
  check(options) {
    parsePlace(options["syslog-address"] ?? "");
    parseFacility(options["syslog-facility"] ?? "");
    parseFormat(options["syslog-format"] ?? "");
  },
  async open(options, subject) {
    const place = parsePlace(options["syslog-address"] ?? "");
    const facility = parseFacility(options["syslog-facility"] ?? "");
    const format = parseFormat(options["syslog-format"] ?? "");
    const counted = place.transport === "tcp+tls" && format !== "unix" && format !== "rfc3164";
    const encode = (message: LogMessage) => {
      const text = `${formatSyslog(message, { format, facility, subject })}\n`;
      return Buffer.from(counted ? `${Buffer.byteLength(text)} ${text}` : text);
    };
    return destination(await openSender(place, options), encode);
  },
};

const transports = ["unix", "unixgram", "udp", "tcp", "tcp+tls"] as const;

type SyslogPlace =
  | { readonly transport: "local" }
  | { readonly transport: "unix" | "unixgram"; readonly path: string }
  | { readonly transport: "udp" | "tcp" | "tcp+tls"; readonly host: string; readonly port: number };

const refused = (words: string) => runtimeFaults.LOG_OPTION_INVALID(words);

function parsePlace(text: string): SyslogPlace {
  if (text === "") return { transport: "local" };
  const address = parseLogAddress(text);
  if (address === undefined) throw refused(`unsupported scheme: '${/^[^:/]*(?=:)/.exec(text)?.[0] ?? ""}'`);
  const transport = transports.find((known) => known === address.scheme);
  if (transport === undefined) throw refused(`unsupported scheme: '${address.scheme}'`);
  if (transport !== "unix" && transport !== "unixgram")
    return { transport, host: address.host, port: address.port ?? 514 };
  try {
    statSync(address.path);
  } catch (error) {
    const why = errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error));
    throw refused(`stat ${address.path}: ${why}`);
  }
  return { transport, path: address.path };
}

const facilityNames =
  "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7".split(
    " ",
  );

function parseFacility(text: string): number {
  if (text === "") return 3;
  const number = /^\d+$/.test(text) ? Number(text) : facilityNames.indexOf(text);
  if (text === "-" || number < 0 || number > 23) throw refused("invalid syslog facility");
  return number;
}

type SyslogFormat = "unix" | "rfc3164" | "rfc5424" | "rfc5424micro";

function parseFormat(text: string): SyslogFormat {
  if (text === "") return "unix";
  if (text === "rfc3164" || text === "rfc5424" || text === "rfc5424micro") return text;
  throw refused("Invalid syslog format");
}

/** One message, without what ends it. Its time is the output's, not that of its sending. */
export function formatSyslog(
  { text, stream, time }: Pick<LogMessage, "text" | "stream" | "time">,
  how: {
    readonly format: SyslogFormat;
    readonly facility: number;
    readonly subject: Pick<LogSubject, "tag" | "hostname">;
  },
): string {
  const { tag, hostname } = how.subject;
  const priority = how.facility * 8 + (stream === "stderr" ? 3 : 6);
  switch (how.format) {
    case "unix":
      return `<${priority}>${stamp(time)} ${tag}[${process.pid}]: ${text}`;
    case "rfc3164":
      return `<${priority}>${stamp(time)} ${hostname} ${tag}[${process.pid}]: ${text}`;
    case "rfc5424":
      return `<${priority}>1 ${time.slice(0, 19)}Z ${hostname} ${tag} ${process.pid} ${tag} - ${text}`;
    case "rfc5424micro":
      return `<${priority}>1 ${time.slice(0, 26)}Z ${hostname} ${tag} ${process.pid} ${tag} - ${text}`;
  }
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `Nov  9 08:05:06` in the host's own time, of which RFC 3164 says no more. */
function stamp(time: string): string {
  const date = new Date(time);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2, " ")} ${clock}`;
}

interface Sender extends AsyncDisposable {
  send(messages: readonly Uint8Array[]): Promise<void>;
}

async function openSender(place: SyslogPlace, options: LogOptionValues): Promise<Sender> {
  switch (place.transport) {
    case "local":
      return await openLocal();
    case "unixgram":
      return datagramsTo(place.path);
    case "unix":
      return streamTo(await LogConnection.open({ transport: "unix", path: place.path }));
    case "tcp":
      return streamTo(await LogConnection.open({ transport: "tcp", host: place.host, port: place.port }));
    case "tcp+tls":
      return streamTo(
        await LogConnection.open({
          transport: "tls",
          host: place.host,
          port: place.port,
          tls: tlsOf(options, place.host),
        }),
      );
    case "udp": {
      const connection = await DatagramConnection.open(place.host, place.port);
      return {
        async send(messages) {
          for (const message of messages) await connection.send(message);
        },
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      };
    }
  }
}

async function openLocal(): Promise<Sender> {
  for (const path of ["/dev/log", "/var/run/syslog", "/var/run/log"]) {
    if (!existsSync(path)) continue;
    const sender = datagramsTo(path);
    try {
      sendDatagram(path, new Uint8Array());
      return sender;
    } catch (error) {
      if (errnoOf(error) !== "EPROTOTYPE") continue;
      return streamTo(await LogConnection.open({ transport: "unix", path }));
    }
  }
  throw new Error("Unix syslog delivery error");
}

function datagramsTo(path: string): Sender {
  return {
    async send(messages) {
      for (const message of messages) sendDatagram(path, message);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function streamTo(connection: LogConnection): Sender {
  return {
    send: (messages) => connection.write(Buffer.concat(messages)),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

function tlsOf(options: LogOptionValues, host: string): ConnectionOptions {
  const read = (name: string) => {
    const path = options[name] ?? "";
    return path === "" ? undefined : readFileSync(path);
  };
  const ca = read("syslog-tls-ca-cert");
  const cert = read("syslog-tls-cert");
  const key = read("syslog-tls-key");
  return {
    servername: host,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: !("syslog-tls-skip-verify" in options),
  };
}

function destination(sender: Sender, encode: (message: LogMessage) => Uint8Array): LogDestination {
  return {
    // A line of nothing is not sent.
    send: (messages) => sender.send(messages.filter(({ text }) => text !== "").map(encode)),
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}
