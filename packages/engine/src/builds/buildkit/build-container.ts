import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { Fault } from "@hawser/base";
import type { ExecOp } from "@hawser/build";
import type { BuildContainer, BuildProcess, ContainerRequest, ProcessRequest } from "@hawser/build/grpc";
import { openWriter } from "@hawser/linux";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import type { ContainerId, ContainerMount } from "../../containers/container-record.ts";
import { createExec, writeExecProcess } from "../../containers/exec.ts";
import { createContainerId } from "../../containers/names.ts";
import { removeContainer } from "../../containers/remove.ts";
import { waitForContainer } from "../../containers/wait.ts";
import type { BuildState } from "../build-state.ts";
import { buildFaults } from "../faults.ts";
import { prepareMounts } from "../prepare-mounts.ts";
import { outputOf, startAttached } from "../process-streams.ts";
import { createBuildContainer, type ProcessWork } from "../run-process.ts";

export interface OpenContainerRequest extends Omit<ContainerRequest, "inputs"> {
  /** The root is first. */
  readonly inputs: readonly (BuildState | undefined)[];
  readonly work: Pick<ProcessWork, "defaults" | "limits" | "files" | "caches" | "signal">;
  /** Folder of builds. */
  readonly folder: string;
}

/**
 * A container for processes that somebody talks to. What they write is lost with it.
 *
 * @throws {Fault} `invalid-argument` for a root of the user's files; what its mounts need
 */
export async function openBuildContainer(
  collaborators: Collaborators,
  request: OpenContainerRequest,
): Promise<BuildContainer> {
  const { folder, work, inputs, mounts } = request;
  const [root] = inputs;
  if (root !== undefined && root.kind !== "files") throw buildFaults.ROOT_FOREIGN();
  const id = createContainerId(collaborators.host.randomBytes);
  await using prepared = new AsyncDisposableStack();
  const runDir = join(folder, "run", createContainerId(collaborators.host.randomBytes));
  prepared.defer(() => rm(runDir, { recursive: true, force: true }));
  const brought = await prepareMounts(collaborators, { mounts }, { ...work, inputs, runDir, prepared, id });
  return new OpenedContainer(collaborators, {
    request,
    id,
    mounts: brought.mounts,
    used: prepared.move(),
  });
}

interface OpenedParts {
  readonly request: OpenContainerRequest;
  readonly id: ContainerId;
  readonly mounts: readonly ContainerMount[];
  /** What goes after the container. */
  readonly used: AsyncDisposableStack;
}

class OpenedContainer implements BuildContainer {
  readonly #collaborators: Collaborators;
  readonly #parts: OpenedParts;
  readonly #stop = () => {
    void this[Symbol.asyncDispose]().catch(() => {}); // whoever opened it disposes of it again
  };
  #container: Promise<Container> | undefined;
  #closed: Promise<void> | undefined;

  constructor(collaborators: Collaborators, parts: OpenedParts) {
    this.#collaborators = collaborators;
    this.#parts = parts;
    parts.request.work.signal.addEventListener("abort", this.#stop, { once: true });
  }

  async run(process: ProcessRequest): Promise<BuildProcess> {
    this.#parts.request.work.signal.throwIfAborted();
    if (this.#closed !== undefined) throw buildFaults.CONTAINER_ENDED();
    if (this.#container !== undefined) return await this.#runNext(await this.#container, process);
    const { promise, resolve, reject } = Promise.withResolvers<Container>();
    promise.catch(() => {}); // told here
    this.#container = promise;
    try {
      const { container, started } = await this.#runFirst(process);
      resolve(container);
      return started;
    } catch (error) {
      reject(error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    const { request, id, used } = this.#parts;
    request.work.signal.removeEventListener("abort", this.#stop);
    await this.#remove(id);
    await this.#container?.catch(() => {}); // a start that was on its way
    await this.#remove(id);
    await used.disposeAsync();
  }

  async #remove(id: ContainerId): Promise<void> {
    const container = this.#collaborators.index.find(id);
    if (container === undefined) return;
    try {
      await removeContainer(this.#collaborators, container, { force: true });
    } catch (error) {
      if (!Fault.is(error, "conflict")) throw error;
      // It was ending by itself, or somebody else removes it.
      if (container.monitor !== undefined)
        await Promise.race([container.nextExit.promise, container.removed.promise]);
      if (this.#collaborators.index.find(id) === undefined) return;
      await removeContainer(this.#collaborators, container, { force: true });
    }
  }

  async #runFirst(process: ProcessRequest) {
    const { request, id, mounts } = this.#parts;
    const { inputs, work, network, hosts, hostname, readOnlyRoot } = request;
    const [root] = inputs;
    const op: ExecOp = {
      kind: "exec",
      args: process.args,
      env: [],
      hiddenEnv: [],
      workingDir: process.workingDir,
      user: process.user,
      network,
      privileged: process.privileged,
      mounts: request.mounts,
      ...(readOnlyRoot && { readOnlyRoot }),
      ...(hosts.length > 0 && { hosts }),
      ...(hostname !== "" && { hostname }),
    };
    const container = await createBuildContainer(this.#collaborators, {
      id,
      op,
      parent: root?.kind === "files" ? root.chainId : undefined,
      mounts,
      work,
      streams: process,
    });
    // Of this process alone: those that follow have their own.
    container.secretEnv = await environmentOf(process, work);
    const streams = await startAttached(this.#collaborators, container, attachOptions(process));
    const { monitor } = container;
    const exited = waitForContainer(container, "not-running").then(({ exitCode }) => exitCode);
    const started = processOf(streams, process, {
      exited,
      resize: async (size) => await monitor?.resize(size),
      kill: async (signal) => await monitor?.kill(signal),
    });
    return { container, started };
  }

  async #runNext(container: Container, process: ProcessRequest): Promise<BuildProcess> {
    const { monitor } = container;
    const session = await createExec(this.#collaborators, container, {
      cmd: process.args,
      env: await environmentOf(process, this.#parts.request.work),
      user: process.user,
      workingDir: process.workingDir,
      privileged: process.privileged,
      tty: process.tty,
      attachStdin: true,
      attachStdout: true,
      attachStderr: true,
      detachKeys: "",
    });
    if (monitor === undefined) throw buildFaults.CONTAINER_ENDED();
    session.phase = "starting";
    const written = writeExecProcess(this.#collaborators, container, session);
    const { pid, stream } = await monitor.openExec(session.id, {
      process: written,
      tty: process.tty,
      ...attachOptions(process),
    });
    session.pid = pid;
    if (session.phase === "starting") session.phase = "running";
    // An exec of a container that ends is not told of by its monitor.
    const ended = waitForContainer(container, "not-running").then(() => session.exitCode ?? 137);
    return processOf(stream, process, {
      exited: Promise.race([session.ended.promise, ended]),
      resize: async (size) => await monitor.resize(size, { exec: session.id }),
      kill: async (signal) => await monitor.kill(signal, { exec: session.id }),
    });
  }
}

async function environmentOf(
  { env, secretEnv }: ProcessRequest,
  { files }: OpenContainerRequest["work"],
): Promise<string[]> {
  const secrets = await Promise.all(
    secretEnv.map(async ({ id, name, isRequired }) => {
      const bytes = await files.secret(id);
      if (bytes === undefined && isRequired) throw buildFaults.SECRET_MISSING(id);
      return bytes === undefined ? [] : [`${name}=${Buffer.from(bytes).toString()}`];
    }),
  );
  return [...env, ...secrets.flat()];
}

function attachOptions({ tty }: ProcessRequest) {
  return { stdin: true, stdout: true, stderr: true, format: tty ? "raw" : "frames" } as const;
}

function processOf(
  stream: Socket,
  { tty }: ProcessRequest,
  control: Pick<BuildProcess, "exited" | "resize" | "kill">,
): BuildProcess {
  const input = openWriter(stream);
  // A process that takes no input has output all the same.
  return { ...control, input, output: outputOf(stream, { tty, onClose: () => input.destroy() }) };
}
