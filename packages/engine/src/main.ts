import { Fault, textLogger } from "@hawser/base";
import { composeEngine } from "./compose.ts";
import { parseEngineConfig } from "./config.ts";

/** hawserd: argv → configuration → services → listen → until a signal. Exit code 1 when it cannot start. */
async function main(): Promise<void> {
  const config = parseEngineConfig(process.argv.slice(2), {
    path: process.env["PATH"] ?? "",
    proxies: process.env,
  });
  process.umask(0o022);
  const log = textLogger({
    level: config.debug ? "debug" : "info",
    write: (line) => process.stderr.write(`${line}\n`),
    now: () => new Date(),
  });
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error }));
  const stop = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.resolve(signal));
  await using engine = await composeEngine(config, log);
  await engine.listen();
  log.info("API listens", { hosts: config.hosts.join(","), pid: process.pid });
  const signal = await stop.promise;
  log.info("engine stops, containers go on", { signal });
  await engine.shutDown();
}

try {
  await main();
  process.exit(0); // what a client left open must not keep the engine
} catch (error) {
  const fault = Fault.from(error);
  process.stderr.write(
    `hawserd: ${fault.kind === "internal" ? (fault.stack ?? fault.message) : fault.message}\n`,
  );
  process.exit(1);
}
