import type { ExecInspect } from "@hawser/api";
import type { Collaborators } from "../../containers/collaborators.ts";
import { createExec, resizeExec, resolveExec, startExec } from "../../containers/exec.ts";
import type { ExecSession } from "../../containers/exec-session.ts";
import { hijack } from "../hijack.ts";
import { readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { decodeDetachKeys } from "../wire/detach-keys.ts";
import { decodeExecCreate, decodeExecStart, type ExecStart } from "../wire/exec-request.ts";
import { readSize } from "./containers.ts";

/** What no body means. */
const emptyStart: ExecStart = { detach: false, tty: false };

/** Further processes in a running container. */
export function execRoutes(collaborators: Collaborators): Route[] {
  return [
    {
      method: "POST",
      path: "/containers/{id}/exec",
      async handler(request, response) {
        const container = collaborators.index.resolve(request.param("id"));
        const config = await readJsonBody(request, decodeExecCreate, { type: "container.ExecOptions" });
        const session = await createExec(collaborators, container, config);
        response.sendJson(201, { Id: session.id });
      },
    },
    {
      method: "POST",
      path: "/exec/{id}/start",
      hijacks: true,
      async handler(request, response) {
        const exec = resolveExec(collaborators, request.param("id"));
        const start = await readJsonBody(request, decodeExecStart, {
          type: "container.ExecStartOptions",
          optional: emptyStart,
        });
        const { config } = exec.session;
        const options = {
          stdin: config.attachStdin,
          stdout: config.attachStdout,
          stderr: config.attachStderr,
          // Framing follows the start's word for a terminal, as Docker's does; the process' terminal follows the create's.
          format: start.tty ? ("raw" as const) : ("frames" as const),
          ...(config.tty && { detachKeys: decodeDetachKeys(config.detachKeys) }),
        };
        if (start.detach) {
          await startExec(collaborators, exec, { options });
          response.sendEmpty(200);
          return;
        }
        await startExec(collaborators, exec, {
          options,
          ...(start.consoleSize && { consoleSize: start.consoleSize }),
          accept: async () => {
            const connection = await hijack(request, response);
            await connection.accept({ multiplexed: !start.tty });
            return connection;
          },
        });
      },
    },
    {
      method: "POST",
      path: "/exec/{id}/resize",
      async handler(request, response) {
        await resizeExec(resolveExec(collaborators, request.param("id")), readSize(request.query));
        response.sendEmpty(200);
      },
    },
    {
      method: "GET",
      path: "/exec/{id}/json",
      handler(request, response) {
        response.sendJson(200, formatExec(resolveExec(collaborators, request.param("id")).session));
      },
    },
  ];
}

function formatExec(session: ExecSession): ExecInspect {
  const { config } = session;
  const [entrypoint = "", ...args] = config.cmd;
  return {
    ID: session.id,
    Running: session.phase === "running",
    ExitCode: session.exitCode ?? null,
    ProcessConfig: {
      tty: config.tty,
      entrypoint,
      arguments: args,
      privileged: config.privileged,
      ...(config.user !== "" && { user: config.user }),
    },
    OpenStdin: config.attachStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    CanRemove: false,
    ContainerID: session.containerId,
    DetachKeys:
      config.detachKeys === "" ? "" : Buffer.from(decodeDetachKeys(config.detachKeys)).toString("base64"),
    Pid: session.pid,
  };
}
