import { readdirSync } from "node:fs";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../../tools/tree.ts";

/** One Dockerfile with its context: a file of `shapes/`. */
export interface Shape {
  readonly name: string;
  /** Options of `build`, which every client has. */
  readonly args: readonly string[];
}

const folder = join(root, "test/conformance/dockerfiles/shapes");

const args: Readonly<Record<string, readonly string[]>> = {
  "go-scratch": ["--build-arg", "VERSION=1.4.0"],
  "go-distroless": ["--build-arg", "COMMIT=0a1b2c3", "--build-arg", "DATE=2025-01-01"],
  "node-express": ["--target", "prod"],
  "node-monorepo": ["--label", "built.for=web"],
  "rust-musl": ["--build-arg", "APP_NAME=tool"],
  onbuild: ["--build-arg", "NODE_ENV=production"],
  words: ["--build-arg", "second=given", "--build-arg", "empty="],
};

export function listShapes(): readonly Shape[] {
  const names = readdirSync(folder)
    .map((name) => basename(name, ".txtar"))
    .toSorted();
  return names.map((name) => ({ name, args: args[name] ?? [] }));
}

/**
 * A shape's context in a folder of its own, with modes that do not depend on who checked it out, and the archives that it adds.
 * `syntax` false leaves its first line away where that names a front end: a dockerd that reaches no registry cannot read it.
 */
export async function openContext({ name }: Shape, { syntax }: { readonly syntax: boolean }) {
  const dir = await openTempDir("hawser-corpus-");
  await chmod(dir.path, 0o755);
  for (const file of parseArchive(await readFile(join(folder, `${name}.txtar`), "utf8"))) {
    const path = join(dir.path, file.path);
    for (const above of parents(file.path)) await makeFolder(join(dir.path, above));
    if ("link" in file) await symlink(file.link, path);
    else {
      const isNamed = file.path === "Dockerfile" && !syntax;
      await writeFile(path, isNamed ? file.text.replace(/^# syntax=.*\n/, "") : file.text);
      await chmod(path, file.mode);
    }
  }
  if (name === "c-archive") {
    await writeFile(join(dir.path, "word-1.2.tar.gz"), await sourceArchive());
    await chmod(join(dir.path, "word-1.2.tar.gz"), 0o644);
  }
  if (name === "ignore") await makeFolder(join(dir.path, "docs/nothing"), 0o700);
  if (name === "copy-link") await chmod(join(dir.path, "dir/sub"), 0o2750);
  return dir;
}

type ArchivedFile =
  | { readonly path: string; readonly mode: number; readonly text: string }
  | { readonly path: string; readonly link: string };

/** Go's txtar: `-- path --`, then the file's text; here also `-- path (x) --` for a program, `-- path -> target --` for a link. */
function parseArchive(text: string): ArchivedFile[] {
  const [, ...parts] = text.split(/^-- (.+) --\n/m);
  return Array.from({ length: parts.length / 2 }, (_, at): ArchivedFile => {
    const [head = "", body = ""] = parts.slice(2 * at);
    const [path = "", link] = head.split(" -> ");
    if (link !== undefined) return { path, link };
    const isProgram = path.endsWith(" (x)");
    return { path: isProgram ? path.slice(0, -4) : path, mode: isProgram ? 0o755 : 0o644, text: body };
  });
}

/** `a/b/c` → `a`, `a/b` */
function parents(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, at) => names.slice(0, at + 1).join("/"));
}

async function makeFolder(path: string, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

/** What a release's archive has: owners of whoever packed it, links, modes, an attribute. */
async function sourceArchive(): Promise<Uint8Array> {
  const owner = { uid: 1000, gid: 1000, mtimeNs: 1_700_000_000_000_000_000n };
  const file = (path: string, content: string, mode = 0o644): TarSource => ({
    path: `word-1.2/${path}`,
    type: "file",
    mode,
    content: Buffer.from(content),
    ...owner,
  });
  const entries: TarSource[] = [
    { path: "word-1.2", type: "directory", mode: 0o775, ...owner },
    file("configure", "#!/bin/sh\n", 0o755),
    file("Makefile", "all:\n", 0o664),
    { path: "word-1.2/src", type: "directory", mode: 0o2775, ...owner },
    file("src/main.c", "int main(void) { return 0; }\n"),
    file("src/word.c", "int word;\n"),
    { path: "word-1.2/GNUmakefile", type: "symlink", linkPath: "Makefile", ...owner },
    { path: "word-1.2/COPYING", type: "hardlink", mode: 0o664, linkPath: "word-1.2/Makefile", ...owner },
    { ...file("attributed", "x\n", 0o600), xattrs: new Map([["user.origin", Buffer.from("release")]]) },
  ];
  return await buffer(Readable.from(writeTar(entries)).pipe(createGzip()));
}

export const recordingPath = (name: string) =>
  join(root, `test/conformance/dockerfiles/testdata/${name}.json`);
