import { rmSync } from "node:fs";
import { join } from "node:path";

/**
 * Before a mount that is `volatile`: overlay marks the work folder of one, and mounts it no more, since files may be missing after
 * a power cut. Here there was none since, or nothing that was written then is kept.
 */
export function forgetVolatile(work: string): void {
  rmSync(join(work, "work/incompat/volatile"), { recursive: true, force: true });
}
