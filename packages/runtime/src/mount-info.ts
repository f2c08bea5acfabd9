/** One line of `/proc/<pid>/mountinfo` (proc(5)). */
export interface MountInfo {
  readonly mountPoint: string;
  /** Of the mount alone, not of its file system: `rw`, `nosuid` … */
  readonly options: readonly string[];
  readonly type: string;
  readonly superOptions: string;
  /** It has peers: what is mounted below it is mounted below them. */
  readonly shared: boolean;
}

export function parseMountInfo(text: string): readonly MountInfo[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [left = "", right = ""] = line.split(" - ", 2);
      const [, , , , mountPoint = "", options = "", ...optional] = left.split(" ");
      const [type = "", , superOptions = ""] = right.split(" ");
      const shared = optional.some((field) => field.startsWith("shared:"));
      return {
        mountPoint: unescapePath(mountPoint),
        options: options.split(","),
        type,
        superOptions,
        shared,
      };
    });
}

/** The mount that a path without links is on: of those above it the deepest, of those at one place the last. */
export function findMountOf(path: string, mounts: readonly MountInfo[]): MountInfo | undefined {
  let found: MountInfo | undefined;
  for (const mount of mounts) {
    const { mountPoint } = mount;
    const isAbove = mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (isAbove && mountPoint.length >= (found?.mountPoint.length ?? 0)) found = mount;
  }
  return found;
}

/** Blanks and the like are written as `\040`, byte by byte. */
function unescapePath(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  const plain = bytes.replace(/\\([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(plain, "latin1").toString("utf8");
}
