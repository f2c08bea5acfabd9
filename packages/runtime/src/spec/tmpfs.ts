import { runtimeFaults } from "../faults.ts";

/** Flags by what they are about: of two about the same thing the later one counts. */
const flagTopics = new Map<string, string>(
  (
    [
      ["ro", "rw"],
      ["nosuid", "suid"],
      ["nodev", "dev"],
      ["noexec", "exec"],
      ["sync", "async"],
      ["dirsync"],
      ["nodiratime", "diratime"],
      ["noatime", "atime", "relatime", "norelatime", "strictatime", "nostrictatime"],
      ["mand", "nomand"],
      ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"],
      ["defaults"],
    ] as const
  ).flatMap((flags) => flags.map((flag) => [flag, flags[0]] as const)),
);
const settings: ReadonlySet<string> = new Set([
  "size",
  "mode",
  "uid",
  "gid",
  "nr_inodes",
  "nr_blocks",
  "mpol",
]);

/** Safe for a folder that programs of unknown origin write to: what a tmpfs has unless it is asked otherwise. */
const defaults: readonly string[] = ["noexec", "nosuid", "nodev", "rprivate"];

/**
 * The mount options of a tmpfs: the defaults and those asked for, by commas; of two about the same thing the later.
 *
 * @throws {Fault} `invalid-argument` for an option that a tmpfs does not have.
 */
export function parseTmpfsOptions(text: string): readonly string[] {
  const merged = new Map<string, string>();
  for (const option of [...defaults, ...text.split(",")]) {
    if (option === "") continue;
    const [name = ""] = option.split("=", 1);
    const topic = flagTopics.get(option) ?? (settings.has(name) && option.includes("=") ? name : undefined);
    if (topic === undefined) throw runtimeFaults.TMPFS_OPTION_INVALID(option);
    merged.delete(topic);
    merged.set(topic, option);
  }
  return [...merged.values()];
}
