import { defineCommand } from "../../command.ts";
import { bytesFlag, intFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { parsePublish } from "../../options/port-option.ts";
import { parseRestartPolicy } from "../../options/restart-option.ts";
import { valueError } from "../../options/value-error.ts";
import { warnLine } from "../../session.ts";
import { containerPath, eachArgument } from "../each-argument.ts";
import { createFlags } from "./create-flags.ts";

const flags = {
  "blkio-weight": createFlags["blkio-weight"],
  "cpu-period": createFlags["cpu-period"],
  "cpu-quota": createFlags["cpu-quota"],
  "cpu-rt-period": intFlag("Limit the CPU real-time period in microseconds"),
  "cpu-rt-runtime": intFlag("Limit the CPU real-time runtime in microseconds"),
  "cpu-shares": createFlags["cpu-shares"],
  cpus: createFlags.cpus,
  "cpuset-cpus": createFlags["cpuset-cpus"],
  "cpuset-mems": createFlags["cpuset-mems"],
  memory: createFlags.memory,
  "memory-reservation": createFlags["memory-reservation"],
  "memory-swap": bytesFlag("Swap limit equal to memory plus swap: -1 to enable unlimited swap", {
    allowMinusOne: true,
  }),
  "pids-limit": createFlags["pids-limit"],
  "publish-add": listFlag("Publish a further port of the container to the host"),
  "publish-rm": listFlag("No longer publish a port of the container"),
  restart: stringFlag("Restart policy to apply when a container exits"),
} as const;

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags,
  arguments: { min: 1 },
  async run({ flags: given, changed, args, session }) {
    if (changed.size === 0) throw valueError("you must provide one or more flags when using this command");
    const json = {
      BlkioWeight: given["blkio-weight"],
      CpuPeriod: given["cpu-period"],
      CpuQuota: given["cpu-quota"],
      CpuRealtimePeriod: given["cpu-rt-period"],
      CpuRealtimeRuntime: given["cpu-rt-runtime"],
      CpuShares: given["cpu-shares"],
      NanoCpus: given.cpus,
      CpusetCpus: given["cpuset-cpus"],
      CpusetMems: given["cpuset-mems"],
      Memory: given.memory,
      MemoryReservation: given["memory-reservation"],
      MemorySwap: given["memory-swap"],
      ...(changed.has("pids-limit") && { PidsLimit: given["pids-limit"] }),
      ...(changed.has("publish-add") && { PublishAdd: parsePublish(given["publish-add"]).bindings }),
      ...(changed.has("publish-rm") && { PublishRemove: parsePublish(given["publish-rm"]).bindings }),
      ...(changed.has("restart") && { RestartPolicy: parseRestartPolicy(given.restart) }),
    };
    const client = await session.connect();
    const warnings: string[] = [];
    const code = await eachArgument(session, args, {
      action: async (container) => {
        const { Warnings } = await client.json<{ readonly Warnings?: readonly string[] | null }>({
          method: "POST",
          path: containerPath(container, "update"),
          json,
        });
        warnings.push(...(Warnings ?? []));
        return container;
      },
    });
    for (const warning of warnings) await warnLine(session, warning);
    return code;
  },
});
