import { basename, normalize } from "node:path";
import { defineCommand } from "../../command.ts";
import {
  findContainerFile,
  linkTargetOf,
  readContainerFiles,
  writeContainerFiles,
} from "../../copy/container-files.ts";
import {
  absolutePath,
  type CopyEnd,
  type CopySource,
  findSource,
  findTarget,
  namesContent,
  parseCopyEnd,
  placeCopy,
} from "../../copy/copy-paths.ts";
import { openCopyProgress } from "../../copy/copy-progress.ts";
import { packFiles } from "../../copy/pack-files.ts";
import { unpackFiles } from "../../copy/unpack-files.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { type Session, warnLine, write } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-",
  moreUsages: ["cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH"],
  description: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  flags: {
    archive: boolFlag("Archive mode (copy all uid/gid information)", { short: "a" }),
    "follow-link": boolFlag("Always follow symbol link in SRC_PATH", { short: "L" }),
    quiet: boolFlag(
      "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
      { short: "q" },
    ),
  },
  arguments: { min: 2, max: 2 },
  async run({ flags, changed, args, session }) {
    const [sourceText = "", targetText = ""] = args;
    if (sourceText === "") throw cliFaults.COPY_REFUSED("source can not be empty");
    if (targetText === "") throw cliFaults.COPY_REFUSED("destination can not be empty");
    const source = parseCopyEnd(sourceText);
    const target = parseCopyEnd(targetText);
    const options = {
      archive: flags.archive,
      followLink: flags["follow-link"],
      quiet: changed.has("quiet") ? flags.quiet : session.stdout.isTTY !== true,
    };
    if (isInContainer(source) && isInContainer(target)) {
      throw cliFaults.COPY_REFUSED("copying between containers is not supported");
    }
    if (isInContainer(source)) await copyOut(session, { ...options, source, target: target.path });
    else if (isInContainer(target)) await copyIn(session, { ...options, source: source.path, target });
    else throw cliFaults.COPY_REFUSED("must specify at least one container source");
    return 0;
  },
});

interface CopyOptions {
  readonly archive: boolean;
  readonly followLink: boolean;
  readonly quiet: boolean;
}

function isInContainer(end: CopyEnd): end is Required<CopyEnd> {
  return end.container !== undefined;
}

/** From a container to here; `-` is standard output. */
async function copyOut(
  session: Session,
  request: CopyOptions & { readonly source: Required<CopyEnd>; readonly target: string },
): Promise<void> {
  if (request.target === "-" && session.stdout.isTTY === true) {
    throw cliFaults.OUTPUT_IS_TERMINAL("cowardly refusing to write an archive to a terminal: redirect it");
  }
  const client = await session.connect();
  const { container } = request.source;
  const { path, name } = request.followLink
    ? await followLink(request.source, (at) => findContainerFile(client, { container, path: at }))
    : { path: request.source.path, name: undefined };
  const { archive, isDirectory } = await readContainerFiles(client, { container, path });
  if (request.target === "-") {
    for await (const chunk of archive) await write(session.stdout, chunk);
    return;
  }
  const target = absolutePath(request.target, session.workingDir);
  const source: CopySource = { path, isDirectory, ...(name !== undefined && { name }) };
  const progress = openCopyProgress(session, { heading: "Copying from container", quiet: request.quiet });
  const skipped = await unpackFiles(progress.count(archive), {
    ...placeCopy(source, await findTarget(target)),
    sourcePath: path,
    keepOwners: request.archive,
  });
  await progress.finish(target);
  for (const left of skipped) await warnLine(session, `Not copied, being a device or a pipe: ${left}`);
}

/** From here to a container; `-` is an archive on standard input. */
async function copyIn(
  session: Session,
  request: CopyOptions & { readonly source: string; readonly target: Required<CopyEnd> },
): Promise<void> {
  const client = await session.connect();
  const { container } = request.target;
  const here =
    request.source === "-"
      ? undefined
      : await findSource(absolutePath(request.source, session.workingDir), request);
  let { path } = request.target;
  let file = await findContainerFile(client, { container, path });
  if (file !== undefined && file.linkTarget !== "") {
    path = linkTargetOf(path, file.linkTarget);
    file = await findContainerFile(client, { container, path });
  }
  const shown = `${container}:${request.target.path}`;
  if (file !== undefined && !file.isDirectory && !file.isRegular) {
    throw cliFaults.COPY_REFUSED(`destination ${shown} must be a directory or a regular file`);
  }
  if (here === undefined) {
    if (file?.isDirectory !== true) {
      throw cliFaults.COPY_REFUSED(`destination "${shown}" must be a directory`);
    }
    await writeContainerFiles(
      client,
      { container, path },
      { archive: session.stdin, toUser: request.archive },
    );
    return;
  }
  const place = placeCopy(here, {
    path,
    ...(file !== undefined && { kind: file.isDirectory ? "directory" : "other" }),
  });
  const progress = openCopyProgress(session, { heading: "Copying to container", quiet: request.quiet });
  await writeContainerFiles(
    client,
    { container, path: place.folder },
    { archive: progress.count(packFiles(here, place.name)), toUser: request.archive },
  );
  await progress.finish(shown);
}

/** Where the link at `path` leads, and the link's own name, which the copy has. */
async function followLink(
  { path }: { readonly path: string },
  find: (path: string) => Promise<{ readonly linkTarget: string } | undefined>,
): Promise<{ readonly path: string; readonly name: string | undefined }> {
  const file = await find(path);
  if (file === undefined || file.linkTarget === "") return { path, name: undefined };
  const target = linkTargetOf(path, file.linkTarget);
  const content = namesContent(path) && !namesContent(target);
  const own = basename(normalize(path));
  return {
    path: content ? `${target}/.` : target,
    name: own === basename(normalize(target)) || content ? undefined : own,
  };
}
