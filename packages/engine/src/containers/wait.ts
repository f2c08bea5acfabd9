import type { Container, ExitNotice } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { containerFaults } from "./faults.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

/** @throws {Fault} `invalid-argument` for anything but Docker's three words. */
export function parseWaitCondition(text: string): WaitCondition {
  if (text === "") return "not-running";
  if (text === "not-running" || text === "next-exit" || text === "removed") return text;
  throw containerFaults.WAIT_CONDITION_INVALID(text);
}

/** A promise of the exit that `condition` speaks of; it is registered when this returns, so nothing is missed after. */
export function waitForContainer(container: Container, condition: WaitCondition): Promise<ExitNotice> {
  switch (condition) {
    case "next-exit":
      return container.nextExit.promise;
    case "removed":
      return container.removed.promise;
    case "not-running": {
      const { record } = container;
      if (isRunning(record)) return container.nextExit.promise;
      const { exitCode, error } = record.state;
      return Promise.resolve({ exitCode, ...(error !== "" && { error }) });
    }
  }
}
