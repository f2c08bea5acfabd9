import type { Logger } from "@hawser/base";
import { parseName } from "./call.ts";
import { listenForRequests } from "./listen.ts";
import { MirrorRepository } from "./mirror-repository.ts";
import { openRegistryCore } from "./open-core.ts";
import type { PullThroughOptions } from "./pull-through.ts";

export interface MirrorOptions {
  /** The folder of everything; made when it is not there. */
  readonly root: string;
  readonly pullThrough: PullThroughOptions;
  /** Where others may pull from it, too: whoever reaches it. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly now?: () => number;
  readonly log: Logger;
}

/** A registry of copies inside of another program. Disposal waits for answers that have begun. */
export interface Mirror extends AsyncDisposable {
  /** Where it answers others. */
  readonly url: string | undefined;
  /** @param name as the mirror calls it @throws {Fault} `invalid-argument` */
  repository(name: string): MirrorRepository;
}

/** What nobody uses any more is looked for so often. */
const collectMs = 3_600_000;
/** Nothing younger goes. */
const graceMs = 24 * 3_600_000;

/** Open a mirror. @throws {Fault} `conflict` when another one has its folder */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const { listen, log } = options;
  await using opened = new AsyncDisposableStack();
  const core = opened.use(
    await openRegistryCore({
      ...options,
      access: { rules: [{ user: "anonymous", repository: "*", actions: ["pull"] }], readOnly: true },
      deletes: false,
      page: false,
    }),
  );
  const { service, pullThrough } = core;
  if (pullThrough === undefined) throw new Error("a mirror has upstreams");
  const server = listen && opened.use(await listenForRequests(core.handle, listen));
  const collect = () =>
    core
      .collectGarbage({ graceMs, untagged: false, dryRun: false })
      .catch((error: unknown) => log.error("garbage of the mirror was not collected", { error }));
  const timer = setInterval(() => void collect(), collectMs);
  timer.unref();
  opened.defer(() => clearInterval(timer));
  const resources = opened.move();
  return {
    url: server?.url,
    repository: (name) => new MirrorRepository(parseName(name), { service, pullThrough }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
