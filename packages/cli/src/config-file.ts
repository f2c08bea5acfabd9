import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";

/** What of `~/.docker/config.json` the client heeds. */
export interface ConfigFile {
  readonly currentContext?: string;
  readonly detachKeys?: string;
  readonly psFormat?: string;
  readonly imagesFormat?: string;
  readonly networksFormat?: string;
  readonly statsFormat?: string;
  readonly volumesFormat?: string;
  readonly httpHeaders: Readonly<Record<string, string>>;
  /** More folders with plugins. */
  readonly cliPluginsExtraDirs?: readonly string[];
  /** Address of an engine, or `default` → what its containers are told of proxies, `httpProxy` and so on. */
  readonly proxies?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const textFields = [
  "currentContext",
  "detachKeys",
  "psFormat",
  "imagesFormat",
  "networksFormat",
  "statsFormat",
  "volumesFormat",
] as const satisfies readonly (keyof ConfigFile)[];

/**
 * Read the user's settings. A missing file is an empty one; one that cannot be read or understood is told to `warn` and
 * taken as empty, as Docker's client does.
 */
export function readConfigFile(dir: string, warn: (message: string) => void): ConfigFile {
  const path = join(dir, "config.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EACCES") warn(`WARNING: Error loading config file: open ${path}: permission denied`);
    else if (errno !== "ENOENT" && errno !== "ENOTDIR")
      warn(`WARNING: Error loading config file: ${path}: ${errno}`);
    return { httpHeaders: {} };
  }
  try {
    return configFrom(JSON.parse(text));
  } catch (error) {
    warn(
      `WARNING: Error parsing config file (${path}): ${error instanceof Error ? error.message : String(error)}`,
    );
    return { httpHeaders: {} };
  }
}

function configFrom(value: unknown): ConfigFile {
  const fields =
    typeof value === "object" && value !== null ? new Map<string, unknown>(Object.entries(value)) : new Map();
  const text = (name: string): string | undefined => {
    const field: unknown = fields.get(name);
    return typeof field === "string" && field !== "" ? field : undefined;
  };
  const headers: unknown = fields.get("HttpHeaders");
  const httpHeaders =
    typeof headers === "object" && headers !== null
      ? Object.fromEntries(Object.entries(headers).filter(([, header]) => typeof header === "string"))
      : {};
  const proxies = proxiesFrom(fields.get("proxies"));
  const cliPluginsExtraDirs = textsFrom(fields.get("cliPluginsExtraDirs"));
  const texts = textFields.flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(texts),
    httpHeaders,
    ...(proxies && { proxies }),
    ...(cliPluginsExtraDirs && { cliPluginsExtraDirs }),
  };
}

/** A list of texts; what is none is left out. */
function textsFrom(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : undefined;
}

/** Tables of texts; what is none is left out. */
function proxiesFrom(value: unknown): ConfigFile["proxies"] {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, unknown>>).map(([host, table]) => [
      host,
      Object.fromEntries(
        Object.entries(typeof table === "object" && table !== null ? table : {}).flatMap(([name, text]) =>
          typeof text === "string" ? [[name, text]] : [],
        ),
      ),
    ]),
  );
}
