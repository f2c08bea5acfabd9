import type { EngineClient } from "@hawser/api/client";
import type { Session } from "./session.ts";

/** Signals that mean something to a container; the rest are about this process. */
const proxied: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
];

/** Give signals that reach this process to the container until disposed. */
export function proxySignals(target: {
  readonly session: Session;
  readonly client: EngineClient;
  readonly container: string;
}): Disposable {
  return target.session.onSignal(proxied, (signal) => {
    target.client
      .command({
        method: "POST",
        path: `/containers/${encodeURIComponent(target.container)}/kill`,
        query: { signal: signal.replace(/^SIG/, "") },
      })
      .catch(() => {}); // not started yet, or over already
  });
}
