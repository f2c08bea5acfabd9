import { resolve } from "node:path";
import { valueError } from "./value-error.ts";

/**
 * `--volume` values: `source:target[:options]` are binds, a path alone is an anonymous volume. A source that begins with a
 * dot is taken from `options.workingDir`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseVolumes(
  values: readonly string[],
  options: { readonly workingDir: string },
): { readonly binds: readonly string[]; readonly anonymous: readonly string[] } {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const value of values) {
    if (value === "") throw valueError("invalid empty volume spec");
    const at = value.indexOf(":");
    if (at < 0) {
      anonymous.push(value);
      continue;
    }
    if (value.split(":").some((part) => part === "")) {
      throw valueError(`invalid spec: ${value}: empty section between colons`);
    }
    const source = value.slice(0, at);
    binds.push(source.startsWith(".") ? `${resolve(options.workingDir, source)}${value.slice(at)}` : value);
  }
  return { binds, anonymous };
}
