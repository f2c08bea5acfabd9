/**
 * One of those compared: a client command line that speaks Docker's grammar, and what runs behind it. The images `hello`
 * (a static program that prints and ends) and `idle` (busybox) are there when it has been opened.
 */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  /** Words before the verb. */
  readonly client: readonly string[];
  /** Path of the Docker API's socket; absent: none. */
  readonly socket?: string;
  /** Processes that are there whether or not a container runs. */
  engineProcesses(): number[];
  /** Processes that are there for each container, besides its own. */
  helperProcesses(): number[];
  /** End the engine as a crash does and start it again: the time, as `performance.now()`, at which it was started. */
  crash?(): Promise<number>;
}

/** Root file system archives that the peers import. */
export interface Images {
  /** Folder with `hello` in it, and its archive. */
  readonly hello: { readonly rootfs: string; readonly archive: string };
  readonly idle: { readonly rootfs: string; readonly archive: string };
}
