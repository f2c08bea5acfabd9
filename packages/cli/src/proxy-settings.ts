import type { ConfigFile } from "./config-file.ts";

/** A field of `proxies` in the settings → the variable by which programs know it, in both cases. */
const variables: Readonly<Record<string, string>> = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  noProxy: "NO_PROXY",
  ftpProxy: "FTP_PROXY",
  allProxy: "ALL_PROXY",
};

/**
 * What containers and builds are told of proxies: the settings' word for the engine, else that for all; never what was said
 * already.
 *
 * @param said whether a variable has been given
 */
export function proxyVariables(
  { proxies = {} }: Pick<ConfigFile, "proxies">,
  { host, said }: { readonly host: string; readonly said: (name: string) => boolean },
): Readonly<Record<string, string>> {
  const settings = (Object.hasOwn(proxies, host) ? proxies[host] : proxies["default"]) ?? {};
  return Object.fromEntries(
    Object.entries(variables).flatMap(([field, name]) => {
      const value = settings[field] ?? "";
      const names = value === "" ? [] : [name, name.toLowerCase()];
      return names.filter((candidate) => !said(candidate)).map((candidate) => [candidate, value]);
    }),
  );
}
