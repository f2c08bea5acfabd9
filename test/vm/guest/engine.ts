import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { FrameDecoder } from "@hawser/api";
import { EngineClient, parseEndpoint, splitJson } from "@hawser/api/client";
import { type ProgramResult, runProgram } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { root } from "../../../tools/tree.ts";

/** What these tests look at of `GET /containers/{id}/json`. */
export interface Container {
  readonly Id: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
  };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
}

/** What `POST /containers/create` takes besides image and command. */
export interface ContainerOptions {
  readonly Hostname?: string;
  readonly HostConfig?: Readonly<Record<string, unknown>>;
}

export interface ProgramOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The machine's engine as a user has it: the bundle, on the default paths, without a flag. It writes to the machine's console.
 * Nobody disposes of it: the machine powers off. Containers are made over its API, of the built-in busybox, which `hawser`
 * must have been asked for before.
 */
export class Engine {
  readonly #client = new EngineClient({ endpoint: parseEndpoint("unix:///run/hawser/hawser.sock") });
  #process: ChildProcess | undefined;

  /** Start it, also again after `kill`; it answers when this returns. */
  async start(): Promise<void> {
    const console = openSync("/dev/ttyS0", "w");
    const started = spawn(process.execPath, [join(root, "dist/engine/main.js")], {
      stdio: ["ignore", console, console],
      detached: true,
    });
    closeSync(console);
    started.unref();
    this.#process = started;
    await eventually(
      async () => {
        if (started.exitCode !== null) return true;
        await this.#client.ping();
        return true;
      },
      { deadlineMs: 180_000, what: "the engine answers" },
    );
    if (started.exitCode !== null) throw new Error(`the engine ended with exit code ${started.exitCode}`);
  }

  /** `kill -9`; it has ended when this returns. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null) throw new Error("the engine is not running");
    const ended = once(running, "exit");
    running.ref();
    running.kill("SIGKILL");
    await ended;
  }

  /** Hawser's own client, done by the resident one: a start of Node takes seconds here. Its exit code is a result. */
  async hawser(...args: readonly string[]): Promise<ProgramResult> {
    const stub = join(root, "build/native/hawser-stub");
    return await runProgram([stub, process.execPath, join(root, "dist/cli"), ...args], {
      signal: AbortSignal.timeout(180_000),
    });
  }

  /** The client; anything but exit code 0 is an error. Returns its standard output, trimmed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.hawser(...args);
    if (exitCode !== 0) throw new Error(`hawser ${args.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout.trim();
  }

  async info(): Promise<Readonly<Record<string, unknown>>> {
    return await this.#client.json({ method: "GET", path: "/info" });
  }

  /** Create and start a container. */
  async run(command: readonly string[], options: ContainerOptions = {}): Promise<Container> {
    const { Id } = await this.#client.json<{ readonly Id: string }>({
      method: "POST",
      path: "/containers/create",
      json: { ...options, Image: "busybox", Cmd: command },
    });
    await this.#client.command({ method: "POST", path: `/containers/${Id}/start` });
    return await this.inspect(Id);
  }

  /** A container to its end, what it wrote, and away with it. */
  async output(command: readonly string[], options: ContainerOptions = {}): Promise<ProgramOutput> {
    const { Id } = await this.run(command, options);
    const exitCode = await this.wait(Id);
    const written = await this.logs(Id);
    await this.remove(Id);
    return { exitCode, ...written };
  }

  /** What a container has written so far. */
  async logs(id: string): Promise<Omit<ProgramOutput, "exitCode">> {
    const { body } = await this.#client.send({
      method: "GET",
      path: `/containers/${id}/logs`,
      query: { stdout: true, stderr: true },
    });
    return await splitStreams(body);
  }

  /** A further process in a container, to its end. */
  async exec(id: string, command: readonly string[]): Promise<ProgramOutput> {
    const { Id } = await this.#client.json<{ readonly Id: string }>({
      method: "POST",
      path: `/containers/${id}/exec`,
      json: { AttachStdout: true, AttachStderr: true, Cmd: command },
    });
    const { socket } = await this.#client.upgrade({
      method: "POST",
      path: `/exec/${Id}/start`,
      json: { Detach: false, Tty: false },
    });
    const written = await splitStreams(socket);
    const { ExitCode } = await this.#client.json<{ readonly ExitCode: number }>({
      method: "GET",
      path: `/exec/${Id}/json`,
    });
    return { exitCode: ExitCode, ...written };
  }

  async inspect(id: string): Promise<Container> {
    return await this.#client.json<Container>({ method: "GET", path: `/containers/${id}/json` });
  }

  /** Ids of all containers, also those that have ended. */
  async list(): Promise<string[]> {
    const found = await this.#client.json<readonly { readonly Id: string }[]>({
      method: "GET",
      path: "/containers/json",
      query: { all: true },
    });
    return found.map(({ Id }) => Id);
  }

  /** The exit code, when it has ended. */
  async wait(id: string): Promise<number> {
    const { StatusCode } = await this.#client.json<{ readonly StatusCode: number }>({
      method: "POST",
      path: `/containers/${id}/wait`,
      signal: AbortSignal.timeout(60_000),
    });
    return StatusCode;
  }

  /** End it at once. */
  async stop(id: string): Promise<void> {
    await this.#client.command({ method: "POST", path: `/containers/${id}/stop`, query: { t: 0 } });
  }

  /** Remove containers, also running ones. */
  async remove(...ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#client.command({ method: "DELETE", path: `/containers/${id}`, query: { force: true } });
    }
  }

  /** What the events of a container say happened to it so far, in order. */
  async actionsOf(id: string): Promise<string[]> {
    const { body } = await this.#client.send({
      method: "GET",
      path: "/events",
      query: { since: 0, until: Date.now() / 1000, filters: JSON.stringify({ container: [id] }) },
      signal: AbortSignal.timeout(20_000),
    });
    const actions: string[] = [];
    for await (const text of splitJson(body)) actions.push((JSON.parse(text) as { Action: string }).Action);
    return actions;
  }
}

async function splitStreams(body: AsyncIterable<Buffer>): Promise<Omit<ProgramOutput, "exitCode">> {
  const decoder = new FrameDecoder();
  const texts = { stdin: "", stdout: "", stderr: "", error: "" };
  for await (const chunk of body) {
    for (const { stream, payload } of decoder.decode(chunk)) texts[stream] += payload.toString();
  }
  return { stdout: texts.stdout, stderr: texts.stderr };
}
