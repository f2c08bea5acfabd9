import type { Flag, FlagValues } from "./flags/flag.ts";
import { boolFlag, listFlag, stringFlag } from "./flags/flag-kinds.ts";
import { parseFlags } from "./flags/parse-flags.ts";

/** Not given, it is what the environment says. */
const tlsverify: Flag<boolean | undefined> = {
  ...boolFlag("Use TLS and verify the remote", { hidden: true }),
  initial: undefined,
};

/** Options before the command. */
export const globalFlags = {
  config: stringFlag('Location of client config files (default "~/.docker")'),
  context: stringFlag(
    'Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with "docker context use")',
    { short: "c" },
  ),
  debug: boolFlag("Enable debug mode", { short: "D" }),
  host: listFlag("Daemon socket to connect to", { short: "H" }),
  "log-level": stringFlag('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: "l",
    initial: "info",
  }),
  tls: boolFlag("Use TLS; implied by --tlsverify", { hidden: true }),
  tlsverify,
  tlscacert: stringFlag("Trust certs signed only by this CA", { hidden: true }),
  tlscert: stringFlag("Path to TLS certificate file", { hidden: true }),
  tlskey: stringFlag("Path to TLS key file", { hidden: true }),
  version: boolFlag("Print version information and quit", { short: "v" }),
} as const;

export type GlobalFlags = FlagValues<typeof globalFlags>;

/** As when none is given. */
export function noGlobalFlags(): GlobalFlags {
  const parsed = parseFlags(globalFlags, []);
  if (parsed.kind !== "parsed") throw new Error("no options are always right");
  return parsed.flags;
}
