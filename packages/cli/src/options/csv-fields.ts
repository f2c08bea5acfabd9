import { parseCsvFields as parseFields } from "@hawser/base";
import { valueError } from "./value-error.ts";

/** The fields of one line of comma-separated values, as `--mount` and `--network` are written. */
export function parseCsvFields(text: string): readonly string[] {
  const read = parseFields(text);
  if ("problem" in read) throw valueError(read.problem);
  return read.fields;
}

/** `key=value` → its two halves; without `=` the second is `undefined`. */
export function splitPair(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
