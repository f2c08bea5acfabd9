import assert from "node:assert/strict";
import { lstat, readdir, readFile, readlink, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

/** A folder of which a source of `COPY` may mean much. */
const files: Readonly<Record<string, string>> = {
  "pkg.json": "1",
  "a/b/c.txt": "c",
  "a/b/d.md": "d",
  "a/e.txt": "e",
  "real/sub/f.txt": "f",
  "linked/two": "2",
  "w1/x.txt": "w1",
  "w2/x.txt": "w2",
  "w3/y/z/deep.txt": "deep",
  "sp ace/file": "s",
  "br[1].txt": "br",
  "plus+(x).txt": "px",
  "plus+y.txt": "py",
  "(app)/[id]/page": "page",
  ".hidden": "h",
  "ünï/cödé": "u",
  "etc/passwd": "nobody's",
};
const links: Readonly<Record<string, string>> = {
  link: "real",
  abs: "/real/sub",
  "real/back": "../a",
  "linked/one": "../a/e.txt",
  "a/up": "..",
  chain: "flink",
  flink: "a/e.txt",
  out: "../../etc/passwd",
  outside: "../../../../etc",
  top: "/",
  w4: "w1",
  packed: "archive.tgz",
};

/** What each leaves in an empty file system. */
const shapes: readonly (readonly [lines: string, tree: string])[] = [
  ["COPY ./pkg.json ../a/e.txt a//b/./c.txt /x/", "x/c.txt=c x/e.txt=e x/pkg.json=1"],
  ["COPY a/*/c.txt a/b/*.md /x/", "x/c.txt=c x/d.md=d"],
  ["COPY w?/x.txt /x/", "x/x.txt=w2"],
  ["COPY w* /x/", "x/x.txt=w1 x/y/z/deep.txt=deep"],
  ["COPY none* **/c.txt w[^1]/x.txt /x/", "x/x.txt=w2"],
  ["COPY link/sub /x/", "x/f.txt=f"],
  ["COPY li* /x/", "x/back->../a x/one->../a/e.txt x/sub/f.txt=f x/two=2"],
  ["COPY link/back/b/c.txt /x/", "x/c.txt=c"],
  ["COPY link/* /x/", "x/b/c.txt=c x/b/d.md=d x/e.txt=e x/f.txt=f x/up->.."],
  ["COPY link/s*/f.txt abs/* /x/", "x/f.txt=f"],
  ["COPY chain /c", "c=e"],
  ["COPY linked /x/", "x/one->../a/e.txt x/two=2"],
  ["COPY linked/* /x/", "x/one=e x/two=2"],
  ["COPY out outside/passwd /x/", "x/out=nobody's x/passwd=nobody's"],
  ["COPY top/a/e.txt a/up/pkg.json /x/", "x/e.txt=e x/pkg.json=1"],
  [
    'COPY ["sp ace/file", "link/../pkg.json", "br[[]1].txt", "br[1].txt", "/x/"]',
    "x/br[1].txt=br x/file=s x/pkg.json=1",
  ],
  ["COPY (app)/[[]id]/p* plus+* /x/", "x/page=page x/plus+(x).txt=px x/plus+y.txt=py"],
  ["COPY ünï .h* /x/", "x/.hidden=h x/cödé=u"],
  ["ARG dir=a\nCOPY <<T $dir/e.txt /x/\nhi\nT\nADD archive.tgz /x/", "x/T=hi\n x/e.txt=e x/in=in"],
  ["ADD packed /x/", "x/in=in"],
  ["COPY --from=other o/p l /x/", "x/p=op"],
];

const target = useTarget();

async function openContext() {
  await using opening = new AsyncDisposableStack();
  const dir = opening.use(await openFiles(files));
  const other = opening.use(await openFiles({ "o/p": "op", q: "not sent" }));
  await symlink("o", join(other.path, "l"));
  const archive = writeTar([{ path: "in", type: "file", content: Buffer.from("in") }]);
  await writeFile(join(dir.path, "archive.tgz"), gzipSync(Buffer.concat(await Array.fromAsync(archive))));
  for (const [name, to] of Object.entries(links)) await symlink(to, join(dir.path, name));
  const opened = opening.move();
  return { path: dir.path, other: other.path, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** `name=text` and `name->link`, of all files below a folder, in order. */
async function treeOf(folder: string, below = ""): Promise<string> {
  const found: string[] = [];
  for (const name of (await readdir(join(folder, below))).toSorted()) {
    const path = join(below, name);
    const stats = await lstat(join(folder, path));
    if (stats.isDirectory()) found.push(await treeOf(folder, path));
    else if (stats.isSymbolicLink()) found.push(`${path}->${await readlink(join(folder, path))}`);
    else found.push(`${path}=${await readFile(join(folder, path), "utf8")}`);
  }
  return found.filter((text) => text !== "").join(" ");
}

// The older one, whose patterns are nearest to regular expressions.
test("a source of COPY means what it does in the whole folder", async () => {
  await using client = await openBuildkitClient(target, "trixie");
  await using dir = await openContext();
  await using out = await openTempDir();
  const targets = shapes.map(([lines], at) => {
    const one = {
      context: dir.path,
      contexts: { other: dir.other },
      "dockerfile-inline": `FROM scratch\n${lines}\n`,
      output: [`type=local,dest=${join(out.path, `${at}`)}`],
    };
    return [`t${at}`, one] as const;
  });
  const bake = join(out.path, "bake.json");
  await writeFile(bake, JSON.stringify({ target: Object.fromEntries(targets) }));
  const env = { ...client.environment, BUILDX_BAKE_ENTITLEMENTS_FS: "0" };
  // Not all at once: a session that is not there after five seconds does not come.
  for (let at = 0; at < targets.length; at += 7) {
    const some = targets.slice(at, at + 7).map(([name]) => name);
    const { exitCode, stderr } = await client.run(["buildx", "bake", "-f", bake, ...some], { env });
    assert.equal(exitCode, 0, stderr);
  }
  for (const [at, [lines, tree]] of shapes.entries())
    assert.equal(await treeOf(join(out.path, `${at}`)), tree, lines);
});

test("so it does for our client", hawserOnly, async () => {
  await using dir = await openContext();
  for (const [lines, tree] of shapes) {
    await using out = await openTempDir();
    const options = ["--build-context", `other=${dir.other}`, "-o", `type=local,dest=${out.path}`, "-f", "-"];
    const input = `FROM scratch\n${lines}\n`;
    const { exitCode, stderr } = await target.engine().hawser(["build", ...options, dir.path], { input });
    assert.equal(exitCode, 0, stderr);
    assert.equal(await treeOf(out.path), tree, lines);
  }
});

describe("a folder of which little is used", hawserOnly, () => {
  let client: BuildkitClient;
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());

  /** The folders that the engine has kept, by what is in them. */
  const kept = async () => {
    const folder = join(target.engine().dataRoot, "builds/kept");
    const paths = (await readdir(folder)).map((name) => join(folder, name, "files"));
    return new Map(await Promise.all(paths.map(async (path) => [await treeOf(path), path] as const)));
  };
  const dockerfiles = {
    one: "FROM scratch\nCOPY a/one l /x/\n",
    two: `FROM scratch AS unused
COPY big /
FROM busybox AS made
RUN --mount=source=b,target=/b --mount=source=lb,target=/l mkdir /made && cp /b/t* /made && ls /l > /made/l
FROM scratch
COPY --from=made /made/ /
COPY a/two* /
`,
    all: "FROM scratch\nCOPY . /\n",
  };
  const parts = { one: "a/one=1 b/three=3 l->b/three", two: "a/two=2 b/three=3 lb->b" };
  const openFolder = async () => {
    const sources = Object.entries(dockerfiles).map(([name, text]) => [`docker/${name}`, text]);
    const dir = await openFiles({
      ...Object.fromEntries(sources),
      "a/one": "1",
      "a/two": "2",
      "b/three": "3",
      big: "b",
      ".dockerignore": "docker\n.dockerignore\n",
    });
    await symlink("b/three", join(dir.path, "l"));
    await symlink("b", join(dir.path, "lb"));
    return dir;
  };
  /** Build, and tell what the result is. */
  const build = async (name: string, dir: string) => {
    await using out = await openTempDir();
    const { path } = out;
    await client.ok("build", "-f", join(dir, "docker", name), "-o", `type=local,dest=${path}`, dir);
    return await treeOf(path);
  };

  test("is not sent by buildx, nor read for our client, but for that", async () => {
    await using dir = await openFolder();
    await truncate(join(dir.path, "big"), 256 << 20);
    const clients = {
      buildx: (...args: readonly string[]) => client.ok(...args),
      hawser: async (...args: readonly string[]) => {
        const { exitCode, stderr } = await target.engine().hawser(args);
        assert.equal(exitCode, 0, stderr);
      },
    };
    const ids: unknown[] = [];
    for (const [by, ok] of Object.entries(clients)) {
      await target.ok("builder", "prune", "-af");
      for (const name of ["one", "two"]) {
        const file = join(dir.path, "docker", name);
        await ok("build", "--no-cache", "-t", `${name}:${by}`, "-f", file, dir.path);
      }
      assert.deepEqual([...(await kept()).keys()].toSorted(), [parts.one, parts.two], by);
      ids.push([(await target.inspect(`one:${by}`))["Id"], (await target.inspect(`two:${by}`))["Id"]]);
    }
    assert.deepEqual(ids[0], ids[1]);
  });

  test("is kept in its parts, each as it is asked for", async () => {
    await using dir = await openFolder();
    await target.ok("builder", "prune", "-af");
    const built = {
      one: "x/l=3 x/one=1",
      two: "l=three\n three=3 two=2",
      all: "a/one=1 a/two=2 b/three=3 big=b l->b/three lb->b",
    };
    const buildAll = async () => {
      const names = Object.keys(built);
      return Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await build(name, dir.path)] as const)),
      );
    };
    assert.deepEqual(await buildAll(), built);
    const first = await kept();
    assert.deepEqual([...first.keys()].toSorted(), [built.all, parts.one, parts.two]);
    assert.deepEqual(await buildAll(), built);
    assert.deepEqual(await kept(), first);

    await rm(join(dir.path, "b/three"));
    await writeFile(join(dir.path, "b/tall"), "4");
    await symlink("b/tall", join(dir.path, "l2"));
    await rm(join(dir.path, "l"));
    await symlink("l2", join(dir.path, "l"));
    await writeFile(join(dir.path, "a/two2"), "22");
    assert.deepEqual(await buildAll(), {
      one: "x/l=4 x/one=1",
      two: "l=tall\n tall=4 two=2 two2=22",
      all: "a/one=1 a/two=2 a/two2=22 b/tall=4 big=b l->l2 l2->b/tall lb->b",
    });
  });
});
