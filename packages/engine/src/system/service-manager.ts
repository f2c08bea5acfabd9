import { defineFaults, type Logger } from "@hawser/base";
import { sendDatagram } from "@hawser/linux";

const serviceFaults = defineFaults({
  SOCKETS_MISSING: [
    "unavailable",
    (name: string) =>
      `Cannot listen on "fd://${name}": the service manager has handed over no such socket (sd_listen_fds(3))`,
  ],
});

type Environment = Readonly<Record<string, string | undefined>>;

/** The first descriptor that is handed over. */
const firstFd = 3;

/**
 * The listening sockets that systemd has opened for this process (sd_listen_fds(3)): all, or those of a name or a number.
 *
 * @throws {Fault} `unavailable` when there is none
 */
export function inheritedSockets(
  name: string,
  { environment, pid }: { readonly environment: Environment; readonly pid: number },
): readonly number[] {
  const isMine = environment["LISTEN_PID"] === String(pid);
  const count = isMine ? Number(environment["LISTEN_FDS"] ?? 0) : 0;
  const names = (environment["LISTEN_FDNAMES"] ?? "").split(":");
  const all = Array.from(
    { length: Number.isInteger(count) && count < 1024 ? count : 0 },
    (_, index) => index,
  );
  const chosen = all.filter(
    (index) => name === "" || name === String(index + firstFd) || name === names[index],
  );
  if (chosen.length === 0) throw serviceFaults.SOCKETS_MISSING(name);
  return chosen.map((index) => index + firstFd);
}

/** Tell the service manager of this process's state, if one wants to know (sd_notify(3)); that it cannot be told is no failure. */
export function notifyServiceManager(
  state: string,
  { environment, log }: { readonly environment: Environment; readonly log: Logger },
): void {
  const path = environment["NOTIFY_SOCKET"] ?? "";
  if (path === "") return;
  try {
    sendDatagram(path, Buffer.from(state));
  } catch (error) {
    log.warn("cannot tell the service manager", { state, error });
  }
}
