import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { getSystemErrorMap } from "node:util";
import { mountFileSystem, mountFlags, unmountFileSystem } from "@hawser/linux";
import { volumeFaults } from "./faults.ts";
import { parseMountOptions } from "./parse-mount-options.ts";
import type { VolumeRecord } from "./volume-record.ts";

/** Whether a volume is not its folder but what is mounted while containers run with it. */
export function needsMount({ driver, options = {} }: VolumeRecord): boolean {
  return driver !== undefined || options["type"] !== undefined || options["device"] !== undefined;
}

/**
 * Mount what a volume's options name.
 *
 * @throws {Fault} `internal`, Docker's words, without the password
 */
export async function mountLocal(record: VolumeRecord, target: string): Promise<void> {
  const { type = "", device: source = "", o = "" } = record.options ?? {};
  let data = "";
  let flags = 0;
  let isMounted = false;
  try {
    const options = parseMountOptions(await resolveAddress(type, o));
    ({ flags, data } = options);
    await mountFileSystem({ source, target, type, flags, data });
    isMounted = true;
    const bound = mountFlags.bind;
    // Of a bind mount the first call does not heed the others.
    if ((flags & bound) !== 0 && (flags & ~(bound | mountFlags.recursive)) !== 0)
      await mountFileSystem({ source, target, type, flags: flags | mountFlags.remount, data: "" });
    if (options.propagation !== 0)
      await mountFileSystem({ source, target, type: "", flags: options.propagation, data: "" });
  } catch (error) {
    if (isMounted) await unmountFileSystem(target);
    const reason = `failed to mount local volume: ${describe({ source, target, flags, data }, error)}`;
    throw volumeFaults.VOLUME_MOUNT_FAILED(target, reason).because(error);
  }
}

function describe(
  { source, target, flags, data }: { source: string; target: string; flags: number; data: string },
  error: unknown,
): string {
  const hidden = data.replace(/(^|,)(pass(?:word)?)=[^,]*/g, "$1$2=********");
  return [
    `mount ${source}:${target}`,
    ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]),
    ...(hidden === "" ? [] : [`data: ${hidden}`]),
  ]
    .join(", ")
    .concat(`: ${reasonOf(error)}`);
}

/** The system's words for an error, which the exit code of a start depends on. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno } = error as NodeJS.ErrnoException;
  return (errno !== undefined && getSystemErrorMap().get(errno)?.[1]) || error.message;
}

/** The kernel knows no names: `addr=` of a network file system becomes an address. */
async function resolveAddress(type: string, options: string): Promise<string> {
  const [, name] = /(?:^|,)addr=([^,]+)/.exec(options) ?? [];
  if (name === undefined || isIPv4(name) || (type !== "nfs" && type !== "cifs")) return options;
  const { address } = await lookup(name, { order: "ipv4first" }); // as Go does
  return options.replace(`addr=${name}`, `addr=${address}`);
}
