import { constants } from "node:os";
import { posix } from "node:path";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Fault } from "@hawser/base";
import { planMount } from "../llb/plan-exec.ts";
import type { ExecMount } from "../plan/vertex.ts";
import type { BuildJob } from "./build-job.ts";
import { protocolFaults } from "./faults.ts";
import type {
  ExecMessage,
  ExecMessageSchema,
  InitMessage,
  NewContainerRequest,
} from "./generated/gateway_pb.ts";
import { type Mount, MountType, NetMode, SecurityMode } from "./generated/llb_pb.ts";
import { grpcError } from "./grpc-error.ts";
import { MessageQueue } from "./message-queue.ts";
import type { BuildContainer, BuildProcess, ContainerRequest, PlannedResult } from "./ports.ts";

type Reply = MessageInitShape<typeof ExecMessageSchema>;

/** Of one front end at a time. */
const maxContainers = 16;
const maxMounts = 1000;
/** Of one call. */
const maxProcesses = 64;
/** Bytes of a process' output in one message. */
const maxPieceBytes = 32 << 10;

/** The containers of a front end, by the names that it gives them; each ends when it is released, or with the front end. */
export class GatewayContainers implements AsyncDisposable {
  readonly #job: BuildJob;
  readonly #open = new Map<string, Promise<BuildContainer>>();

  constructor(job: BuildJob) {
    this.#job = job;
  }

  /** @throws {Fault} as `BuildWork.openContainer`; `conflict`, `resource-exhausted` */
  async open(request: NewContainerRequest): Promise<void> {
    const { containerId } = request;
    if (this.#open.has(containerId)) throw protocolFaults.CONTAINER_TAKEN(containerId);
    if (this.#open.size >= maxContainers) throw protocolFaults.TOO_MANY("containers", maxContainers);
    const planned = planContainer(request, (id) => this.#job.get(id));
    const opened = this.#job.work.openContainer(planned);
    this.#open.set(containerId, opened);
    try {
      await opened;
    } catch (error) {
      this.#open.delete(containerId);
      throw error;
    }
  }

  /** @throws {Fault} `not-found` */
  async release(id: string): Promise<void> {
    const opened = this.#find(id);
    this.#open.delete(id);
    await (await opened)[Symbol.asyncDispose]();
  }

  /** What a call that runs processes is answered with, until the caller is done and all of them have ended. */
  async *exec(messages: AsyncIterable<ExecMessage>): AsyncGenerator<Reply, void, undefined> {
    using queue = new MessageQueue<Reply>();
    const processes = new Map<string, Promise<Running | undefined>>();
    const read = async () => {
      for await (const message of messages) await this.#take(message, { processes, queue });
      for (const process of processes.values()) (await process)?.input.end();
      await Promise.all([...processes.values()].map(async (process) => await (await process)?.over));
    };
    read().then(
      () => queue.end(),
      (error: unknown) => queue.fail(grpcError(error)),
    );
    try {
      yield* queue;
    } finally {
      for (const process of processes.values()) (await process)?.kill(constants.signals.SIGKILL);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(opened.map(async (container) => await (await container)[Symbol.asyncDispose]()));
  }

  #find(id: string): Promise<BuildContainer> {
    return this.#open.get(id) ?? missing(id);
  }

  async #take(
    { processId, input }: ExecMessage,
    {
      processes,
      queue,
    }: {
      readonly processes: Map<string, Promise<Running | undefined>>;
      readonly queue: MessageQueue<Reply>;
    },
  ): Promise<void> {
    if (input.case === "init") {
      if (processes.has(processId)) throw protocolFaults.PROCESS_TAKEN(processId);
      if (processes.size >= maxProcesses) throw protocolFaults.TOO_MANY("processes", maxProcesses);
      processes.set(processId, this.#start(processId, input.value, queue));
      return;
    }
    // What is sent to a process that has ended is late, and no mistake.
    const process = await processes.get(processId);
    switch (input.case) {
      case "file":
        if (input.value.fd !== 0) throw protocolFaults.FRONTEND_FAILED("only standard input is written to");
        if (input.value.data.length > 0) await process?.input.write(input.value.data);
        if (input.value.eof) process?.input.end();
        break;
      case "resize":
        await process?.resize({ height: input.value.rows, width: input.value.cols });
        break;
      case "signal":
        process?.kill(signalOf(input.value.name));
        break;
      default:
        throw protocolFaults.FRONTEND_FAILED("a process is told what it says itself");
    }
  }

  async #start(
    processId: string,
    init: InitMessage,
    queue: MessageQueue<Reply>,
  ): Promise<Running | undefined> {
    const tell = (input: Reply["input"]) => queue.push({ processId, ...(input && { input }) });
    try {
      const container = await this.#find(init.containerId);
      const process = await container.run(processRequest(init));
      await tell({ case: "started", value: {} });
      const running = new Running(process, init.fds.includes(0));
      const follow = async () => {
        for await (const { stream, bytes } of process.output) {
          const fd = stream === "stdout" ? 1 : 2;
          if (!init.fds.includes(fd)) continue;
          for (let at = 0; at < bytes.length; at += maxPieceBytes) {
            await tell({ case: "file", value: { fd, data: bytes.slice(at, at + maxPieceBytes) } });
          }
        }
        for (const fd of [1, 2])
          if (init.fds.includes(fd)) await tell({ case: "file", value: { fd, eof: true } });
        await tellExit(await process.exited);
      };
      const tellExit = async (code: number) => {
        const error = { code: Code.Unknown, message: `exit code: ${code}` };
        await tell({ case: "exit", value: { code, ...(code !== 0 && { error }) } });
        await tell({ case: "done", value: {} });
      };
      running.over = follow().catch((error: unknown) => queue.fail(grpcError(error)));
      return running;
    } catch (error) {
      const { code, rawMessage } = grpcError(error);
      await tell({ case: "started", value: {} });
      await tell({ case: "exit", value: { code: unknownExit, error: { code, message: rawMessage } } });
      await tell({ case: "done", value: {} });
      return undefined;
    }
  }
}

/** Of a process that has not begun. */
const unknownExit = 255;

function missing(id: string): never {
  throw protocolFaults.CONTAINER_MISSING(id);
}

class Running {
  readonly #process: BuildProcess;
  readonly input: { write(bytes: Uint8Array): Promise<void>; end(): void };
  over: Promise<void> = Promise.resolve();

  constructor(process: BuildProcess, hasInput: boolean) {
    this.#process = process;
    this.input = inputOf(process.input);
    if (!hasInput) this.input.end();
  }

  async resize(size: { readonly height: number; readonly width: number }): Promise<void> {
    await this.#process.resize(size).catch(ended);
  }

  kill(signal: number): void {
    this.#process.kill(signal).catch(() => {}); // it has ended
  }
}

function ended(error: unknown): void {
  if (Fault.is(error, "conflict") || Fault.is(error, "not-found") || Fault.is(error, "unavailable")) return;
  throw error;
}

function inputOf(stream: Writable) {
  let isOpen = true;
  stream.on("error", () => {
    isOpen = false; // the process does not read any more
  });
  return {
    async write(bytes: Uint8Array) {
      // What has come is read first: a process that has ended leaves no more than that.
      await nextTurn();
      if (!isOpen || !stream.writable || stream.write(bytes)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.once("drain", resolve).once("close", resolve);
      await promise;
      stream.off("drain", resolve).off("close", resolve);
    },
    end() {
      if (isOpen) stream.end();
      isOpen = false;
    },
  };
}

function signalOf(name: string): number {
  const number = (constants.signals as Readonly<Record<string, number>>)[name];
  if (number === undefined) throw protocolFaults.FRONTEND_FAILED(`unknown signal ${JSON.stringify(name)}`);
  return number;
}

function processRequest({ meta, tty, security, secretEnv }: InitMessage) {
  if (meta === undefined || meta.args.length === 0) {
    throw protocolFaults.FRONTEND_FAILED("a process has no args");
  }
  return {
    args: meta.args,
    env: meta.env,
    workingDir: posix.resolve("/", meta.cwd),
    user: meta.user,
    secretEnv: secretEnv.map(({ id, name, optional }) => ({ id, name, isRequired: !optional })),
    tty,
    privileged: security === SecurityMode.INSECURE,
  };
}

/** @param resultOf a result that a mount names; throws `not-found` */
function planContainer(
  { mounts, network, extraHosts, hostname }: NewContainerRequest,
  resultOf: (id: string) => PlannedResult,
): ContainerRequest {
  if (mounts.length > maxMounts) throw protocolFaults.TOO_MANY("mounts", maxMounts);
  const inputOf = ({ resultId }: Mount) => (resultId === "" ? undefined : resultOf(resultId));
  const placed = mounts.map((mount) => ({ mount, target: posix.resolve("/", mount.dest) }));
  const [root, ...twice] = placed.filter(({ target }) => target === "/");
  if (root === undefined || twice.length > 0 || root.mount.mountType !== MountType.BIND) {
    throw protocolFaults.FRONTEND_FAILED("a container has one root");
  }
  const inputs: (PlannedResult | undefined)[] = [inputOf(root.mount)];
  const planned: ExecMount[] = placed
    .filter((one) => one !== root)
    .map(({ mount, target }) => planMount(mount, target, () => inputs.push(inputOf(mount)) - 1));
  return {
    inputs,
    mounts: planned,
    readOnlyRoot: root.mount.readonly,
    network: network === NetMode.HOST ? "host" : network === NetMode.NONE ? "none" : "default",
    hosts: extraHosts.map(({ host, ip }) => `${host}:${ip}`),
    hostname,
  };
}
