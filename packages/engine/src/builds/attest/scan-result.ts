import { Fault } from "@hawser/base";
import { createVertex, type ExecOp, type Vertex } from "@hawser/build";
import type { BuildContextOfClient, SbomRequest } from "@hawser/build/grpc";
import { platformOfNode } from "@hawser/oci";
import type { Snapshotter } from "@hawser/store";
import type { BuildState } from "../build-state.ts";
import { lookAtFiles, readFilePart, rootOfState } from "../buildkit/result-files.ts";
import { buildFaults } from "../faults.ts";
import type { ImageBuild } from "../image-build.ts";
import type { Attestation, Subject } from "./statement.ts";

/** in-toto's name of SPDX documents. */
const predicateType = "https://spdx.dev/Document";
const source = "/run/src/core/sbom";
/** Folder of what is looked at besides, each in one of its own, `sbom-<name>`. */
const extras = "/run/src/extras";
const destination = "/run/out";
const maxStatements = 1000;
const maxStatementBytes = 40 << 20;

/**
 * What is in a result, as a generator sees it: an image whose entrypoint reads the files of `BUILDKIT_SCAN_SOURCE`, and those of the
 * folders in `BUILDKIT_SCAN_SOURCE_EXTRAS`, which are no part of the result, and writes in-toto statements into `BUILDKIT_SCAN_DESTINATION` (https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md). It
 * runs as `RUN` does, and what it said of the same files is kept as every result is.
 *
 * @param options.isUncached it runs in any case
 * @throws {Fault} `unavailable` without a generator, `invalid-argument` for what it does wrong
 */
export async function scanResult(
  {
    state,
    others,
  }: {
    readonly state: BuildState;
    /** By their names. */
    readonly others: ReadonlyMap<string, BuildState>;
  },
  { generator, parameters }: SbomRequest,
  options: Pick<BuildContextOfClient, "progress" | "signal"> & {
    readonly build: ImageBuild;
    readonly snapshots: Pick<Snapshotter, "lowerFolders">;
    /** As progress calls it. */
    readonly name: string;
    readonly isUncached: boolean;
  },
): Promise<readonly Attestation[]> {
  const { build, snapshots, name, isUncached, progress, signal } = options;
  const host = platformOfNode(process);
  const image = await build.images.resolve(generator, { platform: host }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw buildFaults.GENERATOR_MISSING(generator, Fault.from(error).message).because(error);
  });
  const { entrypoint = [], cmd = [], env, workingDir } = image.config.execution;
  const args = [...entrypoint, ...cmd];
  if (args.length === 0) throw buildFaults.GENERATOR_BROKEN(generator, "it has no command");
  const scanned = [...others].map(([other, files]) => ({
    target: `${extras}/sbom-${other}`,
    vertex: filesVertex(build, files),
  }));
  const op: ExecOp = {
    kind: "exec",
    args,
    env: [
      ...env,
      `BUILDKIT_SCAN_DESTINATION=${destination}/`,
      `BUILDKIT_SCAN_SOURCE=${source}`,
      ...(scanned.length === 0 ? [] : [`BUILDKIT_SCAN_SOURCE_EXTRAS=${extras}`]),
      ...Object.entries(parameters).map(([key, value]) => `BUILDKIT_SCAN_${key}=${value}`),
    ],
    hiddenEnv: [],
    workingDir: workingDir || "/",
    user: "",
    network: "default",
    privileged: false,
    mounts: [
      { kind: "tmpfs", target: "/tmp" },
      { kind: "bind", input: 1, source: "/", target: source, readOnly: true },
      { kind: "bind", input: 2, source: "/", target: destination, readOnly: false },
      ...scanned.map(({ target }, at) => ({
        kind: "bind" as const,
        input: 3 + at,
        source: "/",
        target,
        readOnly: true,
      })),
    ],
    outputs: [2],
  };
  const vertex = createVertex(op, [
    image.chainId === undefined
      ? undefined
      : createVertex({ kind: "image", reference: generator, chainId: image.chainId }),
    filesVertex(build, state),
    undefined,
    ...scanned.map(({ vertex: files }) => files),
  ]);
  progress.announce([
    { digest: vertex.digest, name: `[${name}] generating sbom using ${generator}`, inputs: [] },
  ]);
  const ignored = new Set(isUncached ? [vertex.digest] : []);
  const told = await build.executeGraph({ root: vertex, epochs: new Map(), ignored });
  return await readStatements(generator, rootOfState(told, snapshots), signal);
}

/** Files that are there, held for the build. */
function filesVertex(build: ImageBuild, state: BuildState): Vertex | undefined {
  if (state.kind !== "files" || state.chainId === undefined) return undefined;
  build.hold(state.chainId);
  return createVertex({ kind: "image", reference: "result", chainId: state.chainId });
}

/** The image's own first, as whoever shows one wants it. */
async function readStatements(
  generator: string,
  root: ReturnType<typeof rootOfState>,
  signal: AbortSignal,
): Promise<readonly Attestation[]> {
  const files = await lookAtFiles(root, { path: "/", isInside: true }, signal);
  if (files.length === 0) throw buildFaults.GENERATOR_BROKEN(generator, "it has written nothing");
  if (files.length > maxStatements) {
    throw buildFaults.GENERATOR_BROKEN(generator, `it has written more than ${maxStatements} files`);
  }
  const all: Attestation[] = [];
  for (const { name, type, sizeBytes } of files) {
    const broken = (why: string) => buildFaults.GENERATOR_BROKEN(generator, `${JSON.stringify(name)} ${why}`);
    if (type !== "file") throw broken("is not a regular file");
    if (sizeBytes > maxStatementBytes) throw broken(`has more than ${maxStatementBytes} bytes`);
    const bytes = await readFilePart(root, { path: name, offset: 0, maxBytes: maxStatementBytes }, signal);
    all.push({ filename: name, ...readStatement(bytes, broken) });
  }
  const rank = ({ filename }: Attestation) => `${filename.startsWith("sbom.") ? 0 : 1}${filename}`;
  return all.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function readStatement(bytes: Uint8Array, broken: (why: string) => Fault): Omit<Attestation, "filename"> {
  let told: unknown;
  try {
    told = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw broken("is no JSON").because(error);
  }
  if (!isObject(told)) throw broken("is no in-toto statement");
  if (told["predicateType"] !== predicateType) {
    throw broken(`has the predicate type ${JSON.stringify(told["predicateType"])}, not ${predicateType}`);
  }
  const { predicate, subject } = told;
  if (!isObject(predicate)) throw broken("has no predicate");
  const subjects = Array.isArray(subject) ? subject.filter(isSubject) : [];
  return { predicateType, predicate, ...(subjects.length > 0 && { subjects }) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSubject(value: unknown): value is Subject {
  if (!isObject(value) || typeof value["name"] !== "string" || !isObject(value["digest"])) return false;
  return Object.values(value["digest"]).every((text) => typeof text === "string");
}
