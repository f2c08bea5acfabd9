import { createHash } from "node:crypto";
import { readTar, rootedTarPath } from "@hawser/base";
import { type FilesRoot, readFiles } from "@hawser/store";
import { buildFaults } from "../faults.ts";
import { type Attestation, formatStatement, type Statement, type Subject } from "./statement.ts";

/**
 * What goes into a folder of results: about each of its files.
 *
 * @param options.prefix of the statements' names
 * @param options.platform what several results without folders of their own are told apart by
 */
export async function fileStatements(
  attestations: readonly Attestation[],
  root: FilesRoot,
  options: { readonly prefix: string; readonly platform?: string; readonly signal: AbortSignal },
): Promise<readonly Statement[]> {
  if (attestations.length === 0) return [];
  const { prefix, platform, signal } = options;
  const subjects = await subjectsOf(root, signal);
  const statements = attestations.map((attestation) => {
    const statement = formatStatement(attestation, subjects, { indent: 2 });
    return { ...statement, filename: nameOf(`${prefix}${statement.filename}`, platform) };
  });
  const names = statements.map(({ filename }) => filename);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw buildFaults.ATTESTATION_TWICE(twice);
  return statements;
}

/** `provenance.json` → `provenance.linux_arm64.json` */
function nameOf(name: string, platform: string | undefined): string {
  if (platform === undefined) return name;
  const [, stem = name, extension = ""] = /^(.+?)(\.[^.]*)?$/.exec(name) ?? [];
  return `${stem}.${platform}${extension}`;
}

async function subjectsOf(root: FilesRoot, signal: AbortSignal): Promise<readonly Subject[]> {
  const found = new Map<string, string>();
  for await (const { entry, data } of readTar(readFiles(root, { kind: "export" }, { signal }))) {
    const path = nameIn(entry.path);
    if (entry.type === "hardlink") {
      const same = found.get(nameIn(entry.linkPath));
      if (same !== undefined) found.set(path, same);
    }
    if (entry.type !== "file") continue;
    const hash = createHash("sha256");
    for await (const chunk of data) hash.update(chunk);
    found.set(path, hash.digest("hex"));
  }
  return [...found]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sha256]) => ({ name, digest: { sha256 } }));
}

function nameIn(path: Buffer): string {
  return Buffer.from(rootedTarPath(path), "latin1").toString();
}
