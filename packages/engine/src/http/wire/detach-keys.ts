import { httpFaults } from "../faults.ts";

const defaultKeys = "ctrl-p,ctrl-q";

/**
 * Docker's `detachKeys`: keys with commas between, each a character or `ctrl-` and one of `a`-`z`, `@`, `[`, `\`, `]`,
 * `^`, `_`. Empty text means the default.
 *
 * @returns the bytes that a terminal sends for them
 * @throws {Fault} `invalid-argument`
 */
export function decodeDetachKeys(text: string): Uint8Array {
  return Uint8Array.from((text === "" ? defaultKeys : text).split(","), (key) => {
    const [, control] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw httpFaults.DETACH_KEYS_INVALID(text);
  });
}
