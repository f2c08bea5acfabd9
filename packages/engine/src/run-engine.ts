import { Fault, jsonLogger, type Logger, textLogger, version } from "@hawser/base";
import { composeEngine, type Engine } from "./compose.ts";
import {
  type ConfigSource,
  type EngineConfig,
  parseEngineCommand,
  readEngineConfig,
} from "./config/engine-config.ts";
import { helpText } from "./config/help-text.ts";
import type { EngineProgram } from "./config/layout.ts";
import { notifyServiceManager } from "./system/service-manager.ts";

/** The program, to its end. Exit code 1 when it cannot start. */
export async function runEngine(program: EngineProgram): Promise<never> {
  const { env: environment } = process;
  const source = { program, argv: process.argv.slice(2), path: environment["PATH"] ?? "", environment };
  try {
    const command = parseEngineCommand(source);
    if (command.kind === "run") await serve(source, command.config);
    else process.stdout.write(answers[command.kind](program));
    process.exit(0); // what a client left open must not keep the engine
  } catch (error) {
    const fault = Fault.from(error);
    const isUsage = fault.code.startsWith("FLAG_") || fault.code === "ARGUMENT_UNEXPECTED";
    process.stderr.write(
      `${program}: ${fault.kind === "internal" ? (fault.stack ?? fault.message) : fault.message}\n` +
        (isUsage ? `See '${program} --help'.\n` : ""),
    );
    process.exit(1);
  }
}

const answers = {
  help: helpText,
  version: () => `Hawser version ${version}\n`,
  validate: () => "configuration OK\n",
} as const;

/** configuration → services → listen → until a signal. */
async function serve(source: ConfigSource, config: EngineConfig): Promise<void> {
  process.umask(0o022);
  const { environment } = source;
  const live = { now: config };
  const log = (config.logFormat === "json" ? jsonLogger : textLogger)({
    get level() {
      return live.now.logLevel;
    },
    write: (line) => process.stderr.write(`${line}\n`),
    now: () => new Date(),
  });
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error }));
  const stop = Promise.withResolvers<string>();
  let asked = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      stop.resolve(signal);
      asked++;
      if (asked === 3) process.exit(1); // whoever asks again and again will not wait for containers
    });
  }
  const current: { engine?: Engine } = {};
  // Before it listens there is nothing to reload, and the signal must not end it.
  process.on("SIGHUP", () => reload(source, { engine: current.engine, environment, log }));
  for (const { name, why } of config.ignored) log.warn("a setting has no effect", { setting: name, why });
  await using engine = await composeEngine(live, { log, environment });
  const addresses = await engine.listen();
  current.engine = engine;
  log.info("API listens", { hosts: addresses.join(","), pid: process.pid });
  notifyServiceManager("READY=1", { environment, log });
  const signal = await stop.promise;
  notifyServiceManager("STOPPING=1", { environment, log });
  log.info("engine stops", { signal, containersGoOn: live.now.liveRestore });
  await engine.shutDown();
}

/** Read the configuration again; one that is wrong changes nothing. */
function reload(
  source: ConfigSource,
  {
    engine,
    environment,
    log,
  }: {
    readonly engine: Engine | undefined;
    readonly environment: ConfigSource["environment"];
    readonly log: Logger;
  },
): void {
  if (engine === undefined) return;
  try {
    engine.reload(readEngineConfig(source));
    log.info("configuration reloaded");
  } catch (error) {
    log.error("configuration not reloaded", { reason: Fault.from(error).message });
  }
  notifyServiceManager("READY=1", { environment, log });
}
