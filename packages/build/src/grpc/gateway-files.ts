import type { MessageInitShape } from "@bufbuild/protobuf";
import { compileIgnorePatterns } from "@hawser/base";
import { protocolFaults } from "./faults.ts";
import type { StatSchema } from "./generated/fsutil_pb.ts";
import { goModeOf } from "./go-mode.ts";
import type { BuildWork, PlannedResult, ResultFile } from "./ports.ts";

type Stat = MessageInitShape<typeof StatSchema>;

/** What a file of a result is. @throws {Fault} `not-found` */
export async function statFile(work: BuildWork, result: PlannedResult, path: string): Promise<Stat> {
  const [file] = await work.lookAtFiles(result, { path, isInside: false });
  if (file === undefined) throw protocolFaults.RESULT_MISSING(path);
  return statOf(file);
}

/** What is in a folder of a result, by name. @throws {Fault} `not-found`, `invalid-argument` */
export async function readFolder(
  work: BuildWork,
  result: PlannedResult,
  { dirPath, includePattern }: { readonly dirPath: string; readonly includePattern: string },
): Promise<readonly Stat[]> {
  const files = await work.lookAtFiles(result, { path: dirPath, isInside: true });
  return files.filter(includes(includePattern)).map(statOf);
}

function includes(pattern: string): (file: ResultFile) => boolean {
  if (pattern === "") return () => true;
  try {
    const patterns = compileIgnorePatterns([pattern]);
    return ({ name }) => patterns.ignores(name);
  } catch (error) {
    throw protocolFaults.FRONTEND_FAILED(`invalid pattern ${JSON.stringify(pattern)}`).because(error);
  }
}

function statOf({ name, type, mode, uid, gid, sizeBytes, mtimeNs, linkPath }: ResultFile): Stat {
  return {
    path: name,
    mode: goModeOf(type, mode),
    uid,
    gid,
    size: BigInt(sizeBytes),
    modTime: mtimeNs,
    linkName: linkPath,
  };
}
