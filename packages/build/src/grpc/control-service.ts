import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { protocolFaults } from "./faults.ts";
import type { Control, UsageRecordSchema } from "./generated/control_pb.ts";
import { grpcError } from "./grpc-error.ts";
import { messageDuplex } from "./message-duplex.ts";
import type { Builder, KeptResult } from "./ports.ts";
import { type SolveParts, solveRequest } from "./solve-request.ts";
import { workerRecord } from "./worker-record.ts";

/** BuildKit's `Control`: builds, what is told of them, and what is kept of them. */
export function controlService(builder: Builder, parts: SolveParts): Partial<ServiceImpl<typeof Control>> {
  const { jobs, sessions, history, now } = parts;
  return {
    async solve(request, { signal }) {
      try {
        const exporterResponse = await solveRequest(builder, request, { ...parts, signal });
        return { exporterResponse };
      } catch (error) {
        throw grpcError(error);
      }
    },
    async *status({ ref }, { signal }) {
      try {
        const progress = await jobs.progress(ref, signal);
        yield* progress.follow(signal);
      } catch (error) {
        throw grpcError(error);
      }
    },
    async *session(messages, { requestHeader, signal }) {
      const { socket, outgoing } = messageDuplex(messages, signal);
      const served = sessions.serve(socket, {
        id: requestHeader.get("x-docker-expose-session-uuid") ?? "",
        sharedKey: requestHeader.get("x-docker-expose-session-sharedkey") ?? "",
        methods: (requestHeader.get("x-docker-expose-session-grpc-method") ?? "").split(/,\s*/),
      });
      served.catch(() => socket.destroy());
      yield* outgoing;
      await served;
    },
    listWorkers: () => ({ record: [workerRecord(builder.about)] }),
    info: () => ({ buildkitVersion: workerRecord(builder.about).buildkitVersion }),
    async diskUsage({ filter }) {
      const wanted = usageFilter(filter);
      const results = (await builder.usage()).filter(wanted);
      return { record: results.map(usageRecord) };
    },
    async *prune({ filter, all, keepDuration, reservedSpace, maxUsedSpace, minFreeSpace }) {
      const wanted = usageFilter(filter);
      const newest = now() - Number(keepDuration / 1_000_000n);
      const removed = await builder.prune(
        (result) => wanted(result) && (all || !result.isShared) && result.lastUsedAtMs <= newest,
        {
          reservedBytes: Number(reservedSpace),
          maxUsedBytes: Number(maxUsedSpace),
          minFreeBytes: Number(minFreeSpace),
        },
      );
      for (const result of removed) yield usageRecord(result);
    },
    listenBuildHistory: (request, { signal }) => history.listen(request, signal),
    updateBuildHistory({ ref, pinned, delete: isDeleted }) {
      try {
        history.update(ref, { pinned, isDeleted });
      } catch (error) {
        throw grpcError(error);
      }
      return {};
    },
  };
}

/**
 * Filters as containerd writes them: `type==regular`, `id~=abc`; of several one must hold. One of a field that results do not have
 * holds for none.
 */
function usageFilter(filters: readonly string[]): (result: KeptResult) => boolean {
  const all = filters.filter((text) => text !== "").map((text) => text.split(",").map(readCondition));
  return (result) => all.length === 0 || all.some((conditions) => conditions.every((holds) => holds(result)));
}

function readCondition(text: string): (result: KeptResult) => boolean {
  const [, name = "", operator = "", quoted = ""] = /^([a-z]+)(==|!=|~=)?(.*)$/.exec(text.trim()) ?? [];
  if (name === "") throw grpcError(protocolFaults.FRONTEND_FAILED(`invalid filter ${JSON.stringify(text)}`));
  const value = quoted.replace(/^"(.*)"$/, "$1");
  const field = (result: KeptResult): string | undefined => {
    switch (name) {
      case "id":
        return result.id;
      case "description":
        return result.description;
      case "type":
        return result.type;
      case "shared":
        return String(result.isShared);
      case "private":
        return String(!result.isShared);
      case "inuse":
        return String(result.isInUse);
      case "parents":
        return result.parents.join(";");
      default:
        return undefined;
    }
  };
  return (result) => {
    const own = field(result);
    if (own === undefined) return operator === "!=";
    if (operator === "==") return own === value;
    if (operator === "!=") return own !== value;
    if (operator === "~=") return own.includes(value);
    return own === "true";
  };
}

function usageRecord(result: KeptResult): MessageInitShape<typeof UsageRecordSchema> {
  return {
    id: result.id,
    inUse: result.isInUse,
    size: BigInt(result.sizeBytes),
    createdAt: timestampFromMs(result.createdAtMs),
    lastUsedAt: timestampFromMs(result.lastUsedAtMs),
    usageCount: BigInt(result.usageCount),
    description: result.description,
    recordType: result.type,
    shared: result.isShared,
    parents: [...result.parents],
  };
}
