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

/** A logger whose lines, without newline, go to `write`: `time=… level=… msg="…" key=value`, as dockerd's text format. */
export function textLogger(options: {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly now: () => Date;
}): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (rank[level] < rank[options.level]) return;
    let line = `time="${options.now().toISOString()}" level=${level} msg=${JSON.stringify(message)}`;
    for (const [key, value] of Object.entries(fields ?? {})) line += ` ${key}=${formatValue(value)}`;
    options.write(line);
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
