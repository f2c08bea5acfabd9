import { type Descriptor, formatPlatform, type Index, type Platform, platformsMatch } from "@hawser/oci";
import { imageFaults } from "./faults.ts";

/**
 * The image of an index for a machine: the one that is made for it, else one for an older machine of its kind, which it
 * also runs. What is no image (attestations) has a platform that no machine has.
 *
 * @throws {Fault} `not-found`, Docker's words
 */
export function chooseManifest(index: Index, wanted: Platform): Descriptor {
  for (const platform of [wanted, ...olderMachines(wanted)]) {
    const found = index.manifests.find(
      (entry) => entry.platform !== undefined && platformsMatch(platform, entry.platform),
    );
    if (found !== undefined) return found;
  }
  const only = index.manifests.length === 1 ? index.manifests[0] : undefined;
  if (only !== undefined && only.platform === undefined) return only;
  throw imageFaults.NO_MANIFEST(formatPlatform(wanted));
}

/** The older machines whose programs a machine also runs, newest first. */
export function olderMachines({ os, architecture, variant }: Platform): readonly Platform[] {
  const versions = (names: readonly string[]) => {
    const index = names.indexOf(variant ?? names[0] ?? "");
    return index < 0 ? [] : names.slice(index + 1).map((older) => ({ os, architecture, variant: older }));
  };
  switch (architecture) {
    case "arm":
      return versions(["v7", "v6", "v5"]);
    case "arm64":
      return [
        ...(variant === undefined || variant === "v8" ? [] : [{ os, architecture }]),
        ...["v7", "v6", "v5"].map((older) => ({ os, architecture: "arm", variant: older })),
      ];
    case "amd64":
      return variant === undefined ? [] : [...versions(["v4", "v3", "v2"]), { os, architecture }];
    default:
      return variant === undefined ? [] : [{ os, architecture }];
  }
}
