import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { Fault, type Logger, textLogger, version } from "@hawser/base";
import { defaultRetryPolicy, RegistryClient } from "../client/index.ts";
import type { TokenOptions } from "./open-core.ts";
import { openRegistry, type Registry } from "./open-registry.ts";
import { openOwnCertificate } from "./own-certificate.ts";
import {
  parseRegistryConfig,
  type RegistryConfig,
  registryUsage,
  type TokenConfig,
} from "./registry-config.ts";
import { openUsersFile } from "./users.ts";
import { Webhooks } from "./webhooks.ts";

/** hawser-registry: argv → configuration → listen → until a signal. Exit code 1 when it cannot start. */
async function main(): Promise<void> {
  const config = parseRegistryConfig(process.argv.slice(2));
  if (config === "help") return void process.stdout.write(registryUsage);
  if (config === "version") return void process.stdout.write(`hawser-registry version ${version}\n`);
  const log = textLogger({
    level: config.debug ? "debug" : "info",
    write: (line) => process.stderr.write(`${line}\n`),
    now: () => new Date(),
  });
  const stop = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.resolve(signal));
  using webhooks = new Webhooks(config.webhooks, { log, now: () => new Date() });
  const { htpasswd, rules } = config;
  const tls = await openTls(config, log);
  const tokens = readTokenKeys(config.tokens);
  using client = new RegistryClient({
    settings: { mirrors: [], insecure: config.insecureRegistries, hostFolders: config.hostFolders },
    environment: process.env,
    userAgent: `hawser-registry/${version}`,
    retry: { ...defaultRetryPolicy, retries: 2 },
  });
  await using registry = await openRegistry({
    root: config.data,
    host: config.host,
    // To collect garbage nobody needs to be answered.
    port: config.command === "serve" ? config.port : 0,
    ...(tls && { tls }),
    ...(tokens && { tokens }),
    access: {
      ...(htpasswd !== undefined && { users: openUsersFile(htpasswd, log) }),
      ...(rules && { rules }),
      anonymousPull: config.anonymousPull,
      readOnly: config.readOnly,
    },
    ...(config.mirrors.length > 0 && {
      pullThrough: {
        upstreams: config.mirrors,
        client,
        freshMs: config.mirrorFreshSeconds * 1000,
        keepMs: config.mirrorKeepDays * 24 * 3_600_000,
      },
    }),
    ...(config.s3 && { s3: config.s3 }),
    deletes: config.deletes,
    takesSparse: config.takesSparse,
    page: config.page,
    accessLog: config.accessLog,
    onPush: (event) => webhooks.push(event),
    log,
  });
  if (config.command === "garbage-collect") {
    await collect(registry, config, log);
    return;
  }
  log.info("registry listens", { url: registry.url, data: config.data, pid: process.pid });
  const { everyHours } = config.garbage;
  const timer =
    everyHours > 0
      ? setInterval(() => {
          collect(registry, config, log).catch((error: unknown) =>
            log.error("garbage was not collected", { error }),
          );
        }, everyHours * 3_600_000)
      : undefined;
  const signal = await stop.promise;
  clearInterval(timer);
  log.info("registry stops", { signal });
}

async function openTls({ tls, data, host }: RegistryConfig, log: Logger) {
  if (tls === undefined) return undefined;
  if ("certificate" in tls) {
    return { certificate: readFileSync(tls.certificate, "utf8"), key: readFileSync(tls.key, "utf8") };
  }
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const own = await openOwnCertificate(data, {
    names: tls.names,
    localNames: [
      "localhost",
      hostname(),
      ...(isIP(host) === 0 ? [host] : []),
      ...addresses.filter(({ scopeid }) => !scopeid).map(({ address }) => address),
    ],
    nowMs: Date.now(),
  });
  log.info("registry's certificate is its own", { path: own.path, sha256: own.fingerprint });
  return own;
}

function readTokenKeys(config: TokenConfig | undefined): TokenOptions | undefined {
  if (config === undefined || config.by === "registry") return config;
  const { certificates, jwks, ...rest } = config;
  return {
    ...rest,
    ...(certificates !== undefined && { certificates: readFileSync(certificates, "utf8") }),
    ...(jwks !== undefined && { jwks: readFileSync(jwks, "utf8") }),
  };
}

async function collect(registry: Registry, config: RegistryConfig, log: Logger): Promise<void> {
  const { graceHours, untagged } = config.garbage;
  const collected = await registry.collectGarbage({
    graceMs: graceHours * 3_600_000,
    untagged,
    dryRun: config.dryRun,
  });
  log.info(config.dryRun ? "garbage that would go" : "garbage collected", { ...collected });
}

try {
  await main();
  process.exit(0); // what a client left open must not keep the registry
} catch (error) {
  const fault = Fault.from(error);
  const words = fault.kind === "internal" ? (fault.stack ?? fault.message) : fault.message;
  process.stderr.write(`hawser-registry: ${words}\n`);
  process.exit(1);
}
