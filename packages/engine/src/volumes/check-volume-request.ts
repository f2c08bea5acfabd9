import { parseByteSize } from "@hawser/base";
import { volumeFaults } from "./faults.ts";
import type { VolumeRequest } from "./plan-volume.ts";
import { localDriver } from "./volume-record.ts";

/** Whether a volume's folder may have that name. */
export function isVolumeName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);
}

const optionNames: ReadonlySet<string> = new Set(["type", "o", "device", "size"]);

/**
 * Whether a volume can be made so, as far as that shows without making it.
 *
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function checkVolumeRequest(name: string, { driver = "", options = {} }: VolumeRequest): void {
  if (name.length === 1) throw volumeFaults.VOLUME_NAME_SHORT(name);
  if (!isVolumeName(name) || name.length > 255) throw volumeFaults.VOLUME_NAME_INVALID(name);
  if (driver !== "" && driver !== localDriver) return; // it knows what its options are
  const unknown = Object.keys(options).find((option) => !optionNames.has(option));
  if (unknown !== undefined) throw volumeFaults.VOLUME_OPTION_INVALID(name, unknown);
  if (Object.keys(options).length === 0) return;
  const { type, device } = options;
  const missing = Object.entries(neededWith).flatMap(([option, needed]) =>
    options[option] === undefined ? [] : needed.filter((other) => options[other] === undefined),
  );
  if (missing[0] !== undefined) throw volumeFaults.VOLUME_OPTION_MISSING(name, missing[0]);
  if (type === "cifs" && /^[a-z]*:?\/\/[^/]*:\d/i.test(device ?? ""))
    throw volumeFaults.VOLUME_CIFS_PORT(name);
  const { size } = options;
  if (size === undefined) return;
  const sizeBytes = parseByteSize(size);
  if (sizeBytes === undefined) throw volumeFaults.VOLUME_SIZE_INVALID(name, size);
  // What is mounted has bounds of its own.
  if (sizeBytes > 0 && device !== undefined) throw volumeFaults.VOLUME_QUOTA_MISSING(name);
}

/** Options that do not make sense without others. */
const neededWith: Readonly<Record<string, readonly string[]>> = {
  device: ["type"],
  type: ["device"],
  o: ["device", "type"],
};
