import type { ExecConfig } from "../../containers/exec-session.ts";
import { httpFaults } from "../faults.ts";
import {
  boolean,
  type Codec,
  type Decoder,
  integer,
  list,
  optional,
  record,
  refuse,
  string,
} from "./codec.ts";
import { decodeDetachKeys } from "./detach-keys.ts";

/** Docker's `ConsoleSize`: height and width. */
const consoleSize: Codec<readonly [number, number]> = {
  decode: (value, path) => {
    const [height, width, ...more] = list(integer).decode(value, path);
    if (height === undefined || width === undefined || more.length > 0) return refuse(value, path, "[2]uint");
    return [height, width];
  },
  encode: (size) => size,
};

const execConfigCodec = record<ExecConfig>({
  cmd: ["Cmd", list(string)],
  env: ["Env", list(string)],
  user: ["User", string],
  workingDir: ["WorkingDir", string],
  privileged: ["Privileged", boolean],
  tty: ["Tty", boolean],
  attachStdin: ["AttachStdin", boolean],
  attachStdout: ["AttachStdout", boolean],
  attachStderr: ["AttachStderr", boolean],
  detachKeys: ["DetachKeys", string],
  consoleSize: ["ConsoleSize", optional(consoleSize)],
});

/** The body of `POST /containers/{id}/exec`. */
export const decodeExecCreate: Decoder<ExecConfig> = (value, path) => {
  const config = execConfigCodec.decode(value, path);
  try {
    decodeDetachKeys(config.detachKeys);
  } catch {
    throw httpFaults.EXEC_DETACH_KEYS(config.detachKeys);
  }
  return config;
};

export interface ExecStart {
  readonly detach: boolean;
  /** Whether the client takes the output for a terminal's: unframed. */
  readonly tty: boolean;
  readonly consoleSize?: readonly [number, number];
}

const execStartCodec = record<ExecStart>({
  detach: ["Detach", boolean],
  tty: ["Tty", boolean],
  consoleSize: ["ConsoleSize", optional(consoleSize)],
});

/** The body of `POST /exec/{id}/start`. */
export const decodeExecStart: Decoder<ExecStart> = execStartCodec.decode;
