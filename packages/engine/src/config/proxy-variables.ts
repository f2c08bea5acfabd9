import { string } from "../http/wire/codec.ts";
import { configFaults } from "./faults.ts";
import type { Settings } from "./settings.ts";

/** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, for registries. */
export type ProxyVariables = Readonly<Record<string, string | undefined>>;

const names = ["http-proxy", "https-proxy", "no-proxy"] as const;

/** What is said of proxies comes before the environment; the file has it in a part of its own. */
export function proxyVariables(
  said: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): ProxyVariables {
  const file = said.proxies ?? {};
  const strange = Object.keys(file).find((key) => !(names as readonly string[]).includes(key));
  if (strange !== undefined) {
    throw configFaults.VALUE_INVALID(
      `the following directives don't match any configuration option: proxies.${strange}`,
    );
  }
  const variables = { ...environment };
  for (const name of names) {
    const value = said[name] ?? string.decode(file[name], `Config.proxies.${name}`);
    const variable = name.toUpperCase().replace("-", "_");
    if (value === "") continue;
    variables[variable] = value;
    delete variables[variable.toLowerCase()];
  }
  return variables;
}
