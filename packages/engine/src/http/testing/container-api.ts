import { silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { ContainerIndex } from "../../containers/container-index.ts";
import { makeContainerRecord } from "../../containers/testing/container-record.ts";
import { EventBus } from "../../events/event-bus.ts";
import { containerRoutes } from "../routes/containers.ts";
import { streamRoutes } from "../routes/streams.ts";
import { openApi, type TestApi } from "./open-api.ts";

export interface ContainerApi extends AsyncDisposable {
  readonly api: TestApi;
  readonly container: Container;
  readonly collaborators: Collaborators;
}

/** The routes of one container, `web`, that exists on paper only: for what is decided before any process is asked. */
export async function openContainerApi(
  change: Parameters<typeof makeContainerRecord>[0] = {},
): Promise<ContainerApi> {
  const dir = await openTempDir();
  const index = new ContainerIndex({ list: () => [], put() {}, remove() {} });
  const container = index.add(makeContainerRecord(change));
  const collaborators = {
    index,
    events: new EventBus({ now: Date.now }),
    host: { dataRoot: dir.path, execRoot: dir.path, now: Date.now },
    reach() {},
    log: silentLogger,
  } as unknown as Collaborators;
  const api = await openApi([...containerRoutes(collaborators), ...streamRoutes(collaborators)]);
  return {
    api,
    container,
    collaborators,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}
