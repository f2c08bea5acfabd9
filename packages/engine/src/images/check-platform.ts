import { formatPlatform, type Platform, platformsMatch } from "@hawser/oci";
import { olderMachines } from "./choose-manifest.ts";
import { imageFaults } from "./faults.ts";

/** Whether a machine of the platform `wanted` runs an image for `is`: one for it, or for an older machine of its kind. */
export function fitsPlatform(wanted: Platform, is: Platform): boolean {
  return [wanted, ...olderMachines(wanted)].some((machine) => platformsMatch(machine, is));
}

/** @throws {Fault} `not-found` when the image of that reference is for another platform; Docker's words */
export function checkPlatform(
  image: { readonly config: Platform },
  options: { readonly reference: string; readonly wanted: Platform | undefined },
): void {
  const { reference, wanted } = options;
  if (wanted === undefined || fitsPlatform(wanted, image.config)) return;
  throw imageFaults.IMAGE_PLATFORM(reference, formatPlatform(image.config), formatPlatform(wanted));
}
