import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { goQuote } from "@hawser/base";
import { valueError } from "./value-error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `NAME=value`, or `NAME`, which takes the client's own value; left as it is when the client has none. */
export function parseEnvironmentValue(text: string, environment: Environment): string {
  if (text === "" || text.startsWith("=")) throw valueError(`invalid environment variable: ${text}`);
  if (text.includes("=")) return text;
  const value = environment[text];
  return value === undefined ? text : `${text}=${value}`;
}

/**
 * The lines of an `--env-file` or `--label-file`: `NAME=value`, `NAME`, `# comment`. Leading white space goes.
 *
 * @param options.lookUp what a name without a value means; `undefined`: the line is left out.
 * @throws {Fault} `invalid-argument` for an unreadable file, a name with white space, bytes that are not UTF-8.
 */
export function readPairFile(
  path: string,
  options: { readonly lookUp: (name: string) => string | undefined; readonly workingDir: string },
): readonly string[] {
  const lines: string[] = [];
  for (const [index, bytes] of splitLines(readFile(path, options.workingDir)).entries()) {
    const text = decodeLine(bytes, { path, number: index + 1 }).replace(/^[\s]+/, "");
    const line = index === 0 ? text.replace(/^\ufeff/, "") : text;
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const name = (at < 0 ? line : line.slice(0, at)).trimStart();
    if (/\s/.test(name))
      throw valueError(`poorly formatted environment: variable '${name}' contains whitespaces`);
    if (name === "") throw valueError(`poorly formatted environment: no variable name on line '${line}'`);
    if (at >= 0) lines.push(`${name}=${line.slice(at + 1)}`);
    else {
      const found = options.lookUp(name);
      if (found !== undefined) lines.push(found);
    }
  }
  return lines;
}

function readFile(path: string, workingDir: string): Buffer {
  try {
    return readFileSync(resolve(workingDir, path));
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw valueError(`open ${path}: ${missing ? "no such file or directory" : systemWords(error)}`);
  }
}

function systemWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /: ([^,]+),/.exec(text)?.[1] ?? text;
}

function splitLines(content: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < content.length) {
    const end = content.indexOf(10, start);
    const line = content.subarray(start, end < 0 ? content.length : end);
    lines.push(line.at(-1) === 13 ? line.subarray(0, -1) : line);
    start = end < 0 ? content.length : end + 1;
  }
  return lines;
}

function decodeLine(bytes: Buffer, at: { readonly path: string; readonly number: number }): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw valueError(
      `env file ${at.path} contains invalid utf8 bytes at line ${at.number}: ${goQuote(bytes.toString("latin1"))}`,
    );
  }
}
