import { readFileSync } from "node:fs";
import { errnoOf, Fault } from "@hawser/base";
import { configFaults } from "./faults.ts";
import { allSettings, type SettingName, type Settings } from "./settings.ts";

/** Nobody writes more by hand, and all of it is read at once. */
const maxFileBytes = 1 << 20;

/**
 * The settings of a configuration file, as dockerd reads its `daemon.json`.
 *
 * @param options.flags what the command line says: nothing may be said in both places
 * @param options.required a file that is not there is a failure
 * @throws {Fault} `invalid-argument`, in dockerd's words, which name the file and the key
 */
export function readConfigFile(
  path: string,
  options: { readonly flags: Settings; readonly required: boolean },
): Settings {
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > maxFileBytes) throw configFaults.VALUE_INVALID(`more than ${maxFileBytes} bytes`);
    return decode(text, options.flags);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" && !options.required) return {};
    const why = code === "ENOENT" ? `open ${path}: no such file or directory` : Fault.from(error).message;
    throw configFaults.FILE_INVALID(path, why);
  }
}

function decode(text: string, flags: Settings): Settings {
  const parsed: unknown = text.trim() === "" ? {} : JSON.parse(text.replace(/^\uFEFF/, ""));
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw configFaults.VALUE_INVALID("a JSON object was wanted");
  const said = Object.entries(parsed);
  const unknown = said.map(([key]) => key).filter((key) => !keys.has(key));
  if (unknown.length > 0) {
    throw configFaults.VALUE_INVALID(
      `the following directives don't match any configuration option: ${unknown.join(", ")}`,
    );
  }
  const conflicts = said.flatMap(([key, value]) => {
    const flag = flags[key as SettingName];
    if (flag === undefined || key === "runtimes") return [];
    return `${key}: (from flag: ${formatGo(flag)}, from file: ${formatGo(value)})`;
  });
  if (conflicts.length > 0) {
    throw configFaults.VALUE_INVALID(
      `the following directives are specified both as a flag and in the configuration file: ${conflicts.join(", ")}`,
    );
  }
  return Object.fromEntries(
    said.flatMap(([key, value]) => {
      const kind = keys.get(key);
      return kind === undefined || value === null ? [] : [[key, kind.fromJson(value, `Config.${key}`)]];
    }),
  );
}

const keys = new Map(
  allSettings.filter(([, { only }]) => only !== "flag").map(([name, { kind }]) => [name as string, kind]),
);

/** Go's `%v`: `[a b]`, `map[a:b]`. */
function formatGo(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatGo).join(" ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, item]) => `${key}:${formatGo(item)}`).join(" ")}]`;
}
