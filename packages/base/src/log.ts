export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log: the message is constant, the facts are in the fields. `error`: someone must act; `warn`: we coped;
 * `info`: a user changed a state; `debug`: the rest. Passed in, never global.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

interface LoggerOptions {
  /** Looked at with each message. */
  readonly level: LogLevel;
  /** Gets lines, without newline. */
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

/** Lines as dockerd's text format: `time=… level=… msg="…" key=value`. */
export function textLogger(options: LoggerOptions): Logger {
  return logger(options, ({ time, level, msg }, fields) => {
    let line = `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
    for (const [key, value] of Object.entries(fields)) line += ` ${key}=${formatValue(value)}`;
    return line;
  });
}

/** Lines as dockerd's JSON format: an object each. */
export function jsonLogger(options: LoggerOptions): Logger {
  return logger(options, (head, fields) =>
    JSON.stringify({ ...fields, ...head }, (_, value: unknown) =>
      value instanceof Error ? errorChain(value) : typeof value === "bigint" ? String(value) : value,
    ),
  );
}

function logger(
  options: LoggerOptions,
  format: (
    head: { readonly level: LogLevel; readonly msg: string; readonly time: string },
    fields: LogFields,
  ) => string,
): Logger {
  const at =
    (level: LogLevel) =>
    (msg: string, fields: LogFields = {}) => {
      if (rank[level] < rank[options.level]) return;
      options.write(format({ level, msg, time: options.now().toISOString() }, fields));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A logger that keeps nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(errorChain(value));
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}

function errorChain(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${errorChain(error.cause)}` : own;
}
