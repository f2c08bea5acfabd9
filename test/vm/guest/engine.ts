import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { EngineClient, parseEndpoint, splitJson } from "@hawser/api/client";
import { type ProgramResult, runProgram } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { root } from "../../../tools/tree.ts";

/**
 * The machine's engine as a user has it: the bundle, on the default paths, without a flag. It writes to the machine's console.
 * Nobody disposes of it: the machine powers off.
 */
export class Engine {
  readonly client = new EngineClient({ endpoint: parseEndpoint("unix:///run/hawser/hawser.sock") });
  #process: ChildProcess | undefined;

  /** Start it, also again after `kill`; it answers when this returns. */
  async start(): Promise<void> {
    const console = openSync("/dev/ttyS0", "w");
    const started = spawn(process.execPath, [join(root, "dist/engine/main.js")], {
      stdio: ["ignore", console, console],
      detached: true,
    });
    closeSync(console);
    this.#process = started;
    await eventually(
      async () => {
        if (started.exitCode !== null) return true;
        await this.client.ping();
        return true;
      },
      { deadlineMs: 60_000, what: "the engine answers" },
    );
    if (started.exitCode !== null) throw new Error(`the engine ended with exit code ${started.exitCode}`);
  }

  /** `kill -9`; it has ended when this returns. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null) throw new Error("the engine is not running");
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  }

  /** Hawser's own client. Its exit code is a result. */
  async hawser(...args: readonly string[]): Promise<ProgramResult> {
    return await runProgram([process.execPath, join(root, "dist/cli/main.js"), ...args], {
      signal: AbortSignal.timeout(60_000),
    });
  }

  /** Hawser's own client where it has to succeed. Its standard output, without the last newline. */
  async ok(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.hawser(...args);
    if (exitCode !== 0) throw new Error(`hawser ${args.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** `run -d` with the built-in busybox. Flags come first. */
  async run(flags: readonly string[], command: readonly string[]): Promise<Container> {
    const id = await this.ok("run", "-d", ...flags, "busybox", ...command);
    return await this.inspect(id);
  }

  async inspect(id: string): Promise<Container> {
    return await this.client.json<Container>({ method: "GET", path: `/containers/${id}/json` });
  }

  /** Actions of a container's events so far, in order. */
  async actionsOf(id: string): Promise<string[]> {
    const { body } = await this.client.send({
      method: "GET",
      path: "/events",
      query: {
        since: 0,
        until: Math.ceil(Date.now() / 1000),
        filters: JSON.stringify({ container: [id] }),
      },
      signal: AbortSignal.timeout(20_000),
    });
    const actions: string[] = [];
    for await (const text of splitJson(body)) actions.push((JSON.parse(text) as { Action: string }).Action);
    return actions;
  }
}

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
