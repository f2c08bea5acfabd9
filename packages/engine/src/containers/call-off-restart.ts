import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";

/**
 * A container that waits for its restart stays as it ended.
 * @returns false when it does not wait: it has been started meanwhile, or never was to restart
 */
export async function callOffRestart(
  { index, locks, restarts }: Collaborators,
  container: Container,
): Promise<boolean> {
  if (container.record.state.status !== "restarting") return false;
  return await locks.run(container.id, async () => {
    const { state } = container.record;
    if (state.status !== "restarting") return false;
    restarts.cancel(container.id);
    index.update(container, { state: { ...state, status: "exited" }, stoppedByUser: true });
    container.settleExit({ exitCode: state.exitCode });
    return true;
  });
}
