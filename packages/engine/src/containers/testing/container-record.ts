import { decodeCreateRequest } from "../../http/wire/create-request.ts";
import {
  type ContainerId,
  type ContainerRecord,
  type ContainerState,
  createdState,
} from "../container-record.ts";

/** A record as create would make it of an API body; what `change` names is different. */
export function makeContainerRecord(
  change: Partial<Omit<ContainerRecord, "id" | "state">> & {
    readonly id?: string;
    readonly state?: Partial<ContainerState>;
    /** Body of `POST /containers/create`, in Docker's names. */
    readonly body?: Readonly<Record<string, unknown>>;
  } = {},
): ContainerRecord {
  const { body = {}, state, id = "a".repeat(64), ...rest } = change;
  const { config, hostConfig } = decodeCreateRequest({ Image: "busybox", Cmd: ["true"], ...body }, "");
  return {
    name: "web",
    createdAtMs: 1_000,
    imageId: `sha256:${"1".repeat(64)}`,
    config,
    hostConfig,
    restartCount: 0,
    ...rest,
    id: id as ContainerId,
    state: { ...createdState, ...state },
  };
}
