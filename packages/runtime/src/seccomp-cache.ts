import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import type { RuntimeSpec } from "@hawser/oci";

/** Instructions of a filter, `BPF_MAXINSNS`, of eight bytes each. */
const maxProgramBytes = 4096 * 8;

/** Policies kept; a machine's containers have a handful. */
const maxPrograms = 64;

const annotation = "run.oci.seccomp_bpf_data";

/**
 * Compiled seccomp policies. Compiling Docker's policy takes crun longer than all the rest of a start (12 of 23 ms with
 * crun 1.8.1), and it forgets the result; it leaves it in its state directory, though, and takes it as an annotation. The
 * first container with a policy pays, the others get what it left. Runtimes other than crun ignore the annotation and take
 * `linux.seccomp`, which stays.
 *
 *     <dir>/<sha256 of the policy as JSON>      the filter, struct sock_filter[]
 */
export class SeccompCache {
  readonly #dir: string;
  readonly #programs = new Map<string, string>();

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** @param dir is made when it is missing; only root may write there */
  static async open(dir: string): Promise<SeccompCache> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const cache = new SeccompCache(dir);
    for (const name of await readdir(dir)) {
      if (/^[0-9a-f]{64}$/.test(name)) cache.#keep(name, await readFile(join(dir, name)));
    }
    return cache;
  }

  /** The specification, with its compiled policy when that is known. */
  annotate(spec: RuntimeSpec): RuntimeSpec {
    const key = keyOf(spec);
    const program = key === undefined ? undefined : this.#programs.get(key);
    if (program === undefined) return spec;
    return { ...spec, annotations: { [annotation]: program, ...spec.annotations } };
  }

  /**
   * Take over what crun compiled for a container that has just started. Costs nothing when the policy is known already.
   *
   * @param stateDir crun's folder of the container: `<run directory>/runtime/<id>`
   */
  async learn(spec: RuntimeSpec, stateDir: string): Promise<void> {
    const key = keyOf(spec);
    if (key === undefined || this.#programs.has(key) || this.#programs.size >= maxPrograms) return;
    if (spec.annotations?.[annotation] !== undefined) return;
    let program: Buffer;
    try {
      program = readFileSync(join(stateDir, "seccomp.bpf")); // at once: a short container's is gone a moment later
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return; // another runtime, or the container has ended
      throw error;
    }
    if (this.#keep(key, program)) await writeFileAtomic(join(this.#dir, key), program, { durable: false });
  }

  #keep(key: string, program: Buffer): boolean {
    const isProgram = program.length > 0 && program.length % 8 === 0 && program.length <= maxProgramBytes;
    if (isProgram && this.#programs.size < maxPrograms) this.#programs.set(key, program.toString("base64"));
    return isProgram;
  }
}

function keyOf({ linux: { seccomp } }: RuntimeSpec): string | undefined {
  if (seccomp === undefined) return undefined;
  return createHash("sha256").update(JSON.stringify(seccomp)).digest("hex");
}
