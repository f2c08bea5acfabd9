import { filesWorkers } from "./files/open-files.ts";
import { prepareLayerWorkers } from "./layers/unpack-layer.ts";

/** Have threads ready: files and layers will be worked on soon, and for a while. Costs some megabytes for a minute. */
export function prepareWorkers(): void {
  filesWorkers.prepare();
  prepareLayerWorkers();
}
