import type { Collected } from "./collect-garbage.ts";
import { type ListenOptions, listenForRequests } from "./listen.ts";
import { openRegistryCore, type RegistryCore, type RegistryCoreOptions } from "./open-core.ts";
import type { RegistryService } from "./registry-service.ts";

export interface RegistryOptions extends RegistryCoreOptions, ListenOptions {}

/** A registry that answers. Disposal waits for answers that have begun. */
export interface Registry extends AsyncDisposable {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  readonly service: RegistryService;
  collectGarbage(options: Parameters<RegistryCore["collectGarbage"]>[0]): Promise<Collected>;
}

/** Open a registry and listen. @throws {Fault} `conflict` when another one has its folder, `invalid-argument` for the users */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  await using opened = new AsyncDisposableStack();
  const core = opened.use(await openRegistryCore(options));
  const { url } = opened.use(await listenForRequests(core.handle, options));
  const resources = opened.move();
  return {
    url,
    service: core.service,
    collectGarbage: core.collectGarbage,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
