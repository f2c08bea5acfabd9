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
    stats(options: { readonly stream: true }): Promise<Readable>;
    putArchive(archive: Readable | Buffer, options: { readonly path: string }): Promise<unknown>;
    getArchive(options: { readonly path: string }): Promise<Readable>;
    infoArchive(options: { readonly path: string }): Promise<Json>;
    export(): Promise<Readable>;
    changes(): Promise<readonly Json[]>;
    commit(options: object): Promise<{ readonly Id: string }>;
    pause(): Promise<unknown>;
    unpause(): Promise<unknown>;
    restart(options?: object): Promise<unknown>;
    rename(options: { readonly name: string }): Promise<unknown>;
    update(options: object): Promise<unknown>;
    top(): Promise<Json>;
  }

  interface Volume {
    inspect(): Promise<Json>;
    remove(): Promise<unknown>;
  }

  interface Network {
    readonly id: string;
    inspect(): Promise<Json>;
    connect(options: object): Promise<unknown>;
    disconnect(options: object): Promise<unknown>;
    remove(): Promise<unknown>;
  }

  interface Image {
    get(): Promise<Readable>;
    history(): Promise<readonly Json[]>;
    inspect(): Promise<Json>;
    tag(options: { readonly repo: string; readonly tag: string }): Promise<unknown>;
    remove(): Promise<readonly Json[]>;
  }

  export default class Docker {
    constructor(options: { readonly socketPath: string });
    readonly modem: {
      demuxStream(stream: Readable, stdout: Writable, stderr: Writable): void;
      followProgress(stream: Readable, done: (error: Error | null, said: readonly Json[]) => void): void;
    };
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
    buildImage(context: Readable | Buffer, options: object): Promise<Readable>;
    createVolume(options: object): Promise<Volume>;
    listVolumes(options?: object): Promise<{ readonly Volumes: readonly Json[] }>;
    createNetwork(options: object): Promise<Network>;
    listNetworks(options?: object): Promise<readonly Json[]>;
    pruneContainers(options?: object): Promise<Json>;
    pruneImages(options?: object): Promise<Json>;
    pruneVolumes(options?: object): Promise<Json>;
    pruneNetworks(options?: object): Promise<Json>;
    df(): Promise<Json>;
  }
}
