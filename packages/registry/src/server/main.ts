import { readFileSync } from "node:fs";
import { Fault, type Logger, textLogger, version } from "@hawser/base";
import { openRegistry, type Registry } from "./open-registry.ts";
import { parseRegistryConfig, type RegistryConfig, registryUsage } from "./registry-config.ts";
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
  const { tls, htpasswd, rules } = config;
  await using registry = await openRegistry({
    root: config.data,
    host: config.host,
    // To collect garbage nobody needs to be answered.
    port: config.command === "serve" ? config.port : 0,
    ...(tls && {
      tls: { certificate: readFileSync(tls.certificate, "utf8"), key: readFileSync(tls.key, "utf8") },
    }),
    access: {
      ...(htpasswd !== undefined && { users: readFileSync(htpasswd, "utf8") }),
      ...(rules && { rules }),
      anonymousPull: config.anonymousPull,
      readOnly: config.readOnly,
    },
    deletes: config.deletes,
    takesSparse: config.takesSparse,
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
