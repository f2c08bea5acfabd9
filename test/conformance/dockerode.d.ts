// What the conformance tests use of dockerode, which has no types of its own.
declare module "dockerode" {
  import type { Duplex, Readable, Writable } from "node:stream";
  import type { Json } from "../e2e/kit-target.ts";

  interface Exec {
    start(options: object): Promise<Duplex>;
    inspect(): Promise<Json>;
  }

  interface Container {
    readonly id: string;
    attach(options: object): Promise<Duplex>;
    start(): Promise<unknown>;
    stop(options?: object): Promise<unknown>;
    kill(): Promise<unknown>;
    wait(options?: object): Promise<{ readonly StatusCode: number }>;
    remove(options?: object): Promise<unknown>;
    inspect(): Promise<Json>;
    logs(options: {
      readonly follow: true;
      readonly stdout?: boolean;
      readonly stderr?: boolean;
    }): Promise<Readable>;
    exec(options: object): Promise<Exec>;
    resize(options: { readonly h: number; readonly w: number }): Promise<unknown>;
  }

  interface Image {
    inspect(): Promise<Json>;
    tag(options: { readonly repo: string; readonly tag: string }): Promise<unknown>;
    remove(): Promise<readonly Json[]>;
  }

  export default class Docker {
    constructor(options: { readonly socketPath: string });
    readonly modem: { demuxStream(stream: Readable, stdout: Writable, stderr: Writable): void };
    ping(): Promise<Buffer>;
    version(): Promise<Json>;
    info(): Promise<Json>;
    createContainer(options: object): Promise<Container>;
    getContainer(id: string): Container;
    listContainers(options?: object): Promise<readonly Json[]>;
    run(
      image: string,
      command: readonly string[],
      output: Writable | readonly Writable[],
      options?: object,
    ): Promise<[{ readonly StatusCode: number }, Container]>;
    getImage(name: string): Image;
    listImages(options?: object): Promise<readonly Json[]>;
    loadImage(archive: string): Promise<Readable>;
    importImage(archive: string, options?: object): Promise<Readable>;
    getEvents(options?: object): Promise<Readable>;
  }
}
