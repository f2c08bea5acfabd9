import { hostname } from "node:os";
import { Fault } from "@hawser/base";
import { deliverLog, findRemoteDriver, type LogDestination, logFileLimits } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { deliveredPathOf, logPathOf } from "./host.ts";
import { formatLogTag, logSubjectOf } from "./log-subject.ts";

/** A container's log on its way to where its driver has it go. */
export interface LogDelivery {
  /** Resolves when all is sent, or it was stopped. */
  readonly ended: Promise<void>;
  /** What is not sent yet is so by the next delivery. */
  stop(): Promise<void>;
}

/**
 * See that a container's log can be kept, and reach its receiver before the container starts; `undefined` when its log stays
 * here.
 *
 * @throws {Fault} `internal` in Docker's words: an option is nonsense, or nobody is there. One whose driver may wait for it starts all the same.
 */
export async function openLogDestination({ record }: Container): Promise<LogDestination | undefined> {
  const { driver, options } = record.hostConfig.log;
  const remote = findRemoteDriver(driver);
  try {
    logFileLimits(record.hostConfig.log);
    if (remote === undefined) {
      if (options["tag"]) formatLogTag(record, options["tag"]);
      return undefined;
    }
    const subject = logSubjectOf(record, hostname());
    if (remote.mayWait?.(options) === true) return undefined;
    return await remote.open(options, subject);
  } catch (error) {
    const why = Fault.from(error).message.replace(/^template parsing error: /, "");
    throw containerFaults.LOG_DRIVER_FAILED(why).because(error);
  }
}

/**
 * Send what the container says, and what it has said and nobody got, until its run is over and all is sent. Nothing when its
 * log stays here.
 */
export function startLogDelivery(
  { host, log }: Pick<Collaborators, "host" | "log">,
  container: Container,
  destination?: LogDestination,
): void {
  const { record, id } = container;
  const remote = findRemoteDriver(record.hostConfig.log.driver);
  if (remote === undefined) return;
  const stopping = new AbortController();
  const over = isRunning(record)
    ? Promise.race([container.nextExit.promise, container.removed.promise])
    : Promise.resolve();
  const ended = deliverLog({
    path: logPathOf(host, id),
    positionPath: deliveredPathOf(host, id),
    ...(destination && { destination }),
    open: async () => await remote.open(record.hostConfig.log.options, logSubjectOf(record, hostname())),
    over,
    signal: stopping.signal,
    tell: (trouble) =>
      trouble === undefined
        ? log.info("the log of a container is sent again", { container: id })
        : log.warn("cannot send the log of a container, trying on", { container: id, error: trouble }),
  }).catch((error: unknown) => {
    if (!stopping.signal.aborted)
      log.error("gave up sending the log of a container", { container: id, error });
  });
  const delivery: LogDelivery = {
    ended,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
  container.delivery = delivery;
  void ended.then(() => {
    if (container.delivery === delivery) container.delivery = undefined;
  });
}

/** Stop sending, as an engine does that ends. */
export async function stopLogDeliveries({ index }: Pick<Collaborators, "index">): Promise<void> {
  await Promise.all(index.list().map(async ({ delivery }) => await delivery?.stop()));
}

/** How long the end of a log may take to be sent before it goes with its container. */
const farewellMs = 10_000;

/** Returns when the container's log is sent, or has had its time. */
export async function finishLogDelivery({ delivery }: Container): Promise<void> {
  if (delivery === undefined) return;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, farewellMs);
  await Promise.race([delivery.ended, late.promise]);
  clearTimeout(timer);
  await delivery.stop();
}
