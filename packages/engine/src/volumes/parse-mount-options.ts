import { mountFlags as flag } from "@hawser/linux";

/** What the words of `o=` mean to mount(2): flags that they set, or take away again. All others are the file system's. */
const words: ReadonlyMap<string, { readonly set?: number; readonly clear?: number }> = new Map(
  Object.entries({
    defaults: {},
    ro: { set: flag.readOnly },
    rw: { clear: flag.readOnly },
    nosuid: { set: flag.noSuid },
    suid: { clear: flag.noSuid },
    nodev: { set: flag.noDev },
    dev: { clear: flag.noDev },
    noexec: { set: flag.noExec },
    exec: { clear: flag.noExec },
    sync: { set: flag.synchronous },
    async: { clear: flag.synchronous },
    mand: { set: flag.mandatoryLocks },
    nomand: { clear: flag.mandatoryLocks },
    dirsync: { set: flag.dirSync },
    noatime: { set: flag.noAtime },
    atime: { clear: flag.noAtime },
    nodiratime: { set: flag.noDirAtime },
    diratime: { clear: flag.noDirAtime },
    relatime: { set: flag.relatime },
    norelatime: { clear: flag.relatime },
    strictatime: { set: flag.strictAtime },
    nostrictatime: { clear: flag.strictAtime },
    bind: { set: flag.bind },
    rbind: { set: flag.bind | flag.recursive },
  }),
);

const propagations: ReadonlyMap<string, number> = new Map(
  Object.entries({
    unbindable: flag.unbindable,
    runbindable: flag.unbindable | flag.recursive,
    private: flag.private,
    rprivate: flag.private | flag.recursive,
    shared: flag.shared,
    rshared: flag.shared | flag.recursive,
    slave: flag.slave,
    rslave: flag.slave | flag.recursive,
  }),
);

/** The options of mount(8) as mount(2) wants them. */
export interface MountOptions {
  readonly flags: number;
  /** Flags of a second call, which mount(2) does not take together with others; 0: none. */
  readonly propagation: number;
  /** What is left, for the file system. */
  readonly data: string;
}

/** Read the value of a volume's option `o`. */
export function parseMountOptions(text: string): MountOptions {
  let [flags, propagation] = [0, 0];
  const data: string[] = [];
  for (const word of text.split(",").filter((part) => part !== "")) {
    const meaning = words.get(word);
    const ofPropagation = propagations.get(word);
    if (meaning !== undefined) flags = (flags | (meaning.set ?? 0)) & ~(meaning.clear ?? 0);
    else if (ofPropagation !== undefined) propagation |= ofPropagation;
    else data.push(word);
  }
  return { flags, propagation, data: data.join(",") };
}
