import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { goQuote } from "@hawser/base";
import { valueError } from "./value-error.ts";

/**
 * `--security-opt` values. A seccomp profile is read here, on the client's machine, and sent as JSON;
 * `systempaths=unconfined` is not sent but becomes `unmasked`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseSecurityOptions(
  values: readonly string[],
  workingDir: string,
): {
  readonly options: readonly string[];
  readonly unmasked: boolean;
} {
  const options: string[] = [];
  let unmasked = false;
  for (const value of values) {
    if (value === "systempaths=unconfined") {
      unmasked = true;
      continue;
    }
    const separator = value.includes("=") ? "=" : ":";
    const at = value.indexOf(separator);
    const name = at < 0 ? value : value.slice(0, at);
    if (at < 0 && name !== "no-new-privileges") throw valueError(`Invalid --security-opt: ${goQuote(value)}`);
    const setting = value.slice(at + 1);
    if (at >= 0 && name === "seccomp" && setting !== "unconfined" && setting !== "builtin") {
      options.push(`seccomp=${readProfile(setting, workingDir)}`);
    } else options.push(value);
  }
  return { options, unmasked };
}

function readProfile(path: string, workingDir: string): string {
  let text: string;
  try {
    text = readFileSync(resolve(workingDir, path), "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const why = missing
      ? "no such file or directory"
      : error instanceof Error
        ? error.message
        : String(error);
    throw valueError(`opening seccomp profile (${path}) failed: open ${path}: ${why}`);
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw valueError(
      `compacting json for seccomp profile (${path}) failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
