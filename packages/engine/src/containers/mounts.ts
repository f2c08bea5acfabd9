import { mkdir, stat } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { cleanPath, type HostConfig, parseBind } from "@hawser/runtime";
import type { ContainerMount } from "./container-record.ts";
import { containerFaults } from "./faults.ts";

/** The host folders and files that `binds` and `mounts` name. */
export function bindMountsOf(hostConfig: Pick<HostConfig, "binds" | "mounts">): readonly ContainerMount[] {
  const binds = hostConfig.binds.flatMap((text): readonly ContainerMount[] => {
    const { kind, source, target, readOnly, recursive, propagation } = parseBind(text);
    const mode = text.split(":").slice(2).join(":");
    return kind === "bind" ? [{ type: "bind", source, target, readOnly, recursive, propagation, mode }] : [];
  });
  const mounts = hostConfig.mounts
    .filter(({ type }) => type === "bind")
    .map(
      (mount): ContainerMount => ({
        type: "bind",
        source: mount.source,
        target: cleanPath(mount.target),
        readOnly: mount.readOnly,
        recursive: mount.bind?.nonRecursive !== true,
        propagation: mount.bind?.propagation || "rprivate",
        mode: "",
        ...(mount.bind?.readOnlyNonRecursive === true && { writableBelow: true }),
        ...(mount.bind?.ownerBecomesUser === true && { ownerBecomesUser: true }),
      }),
    );
  return [...binds, ...mounts];
}

/**
 * Look at the sources on the host. Docker's difference between the two ways to ask: a missing source of `binds` is made, as a
 * folder, when the container starts; a missing source of `mounts` is an error.
 *
 * @throws {Fault} `invalid-argument` for missing sources and for mounts of another sort.
 */
export async function checkSources(
  mounts: readonly ContainerMount[],
  options: { readonly hostConfig: Pick<HostConfig, "mounts">; readonly createMissing: boolean },
): Promise<void> {
  const { hostConfig, createMissing } = options;
  for (const { source, type, bind } of hostConfig.mounts) {
    if (type !== "bind" || bind?.createMountpoint === true) continue;
    if (!(await exists(source))) throw containerFaults.BIND_SOURCE_MISSING(source);
  }
  if (!createMissing) return;
  for (const { source, type } of mounts)
    if (type !== "image" && !(await exists(source))) await mkdir(source, { recursive: true, mode: 0o755 });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
