import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { runCommandOk } from "./kit-process.ts";
import { type RegistryProgram, startRegistry } from "./kit-registry-program.ts";
import { clients, hawserOnly, runClient, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const both = ["--platform", "linux/amd64,linux/s390x"];

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An OCI layout in an archive: its only index, and what is told of each machine's image. */
async function readLayout(archive: string) {
  await using dir = await openTempDir();
  await runCommandOk(["tar", "-xf", archive, "-C", dir.path]);
  const json = async (path: string) => JSON.parse(await readFile(join(dir.path, path), "utf8"));
  const blob = async (digest: string) => await json(`blobs/${digest.replace(":", "/")}`);
  const [top, ...more] = (await json("index.json")).manifests as Descriptor[];
  assert.ok(top !== undefined && more.length === 0);
  const { manifests } = (await blob(top.digest)) as { readonly manifests: readonly Descriptor[] };
  const images = await Promise.all(
    manifests.map(async ({ digest, platform }) => {
      const manifest = await blob(digest);
      const { architecture, config } = await blob(manifest.config.digest);
      const layers = manifest.layers as readonly Descriptor[];
      return { platform: platform?.architecture, architecture, labels: config.Labels, layers };
    }),
  );
  return { top, images };
}

/**
 * Has the kernel give programs of another machine to `program`, which stands for an emulator: a registration of the test's own, opened
 * when it is made (`F`), as qemu-user-static's are, so that no container needs the program's file.
 */
async function openEmulator(of: {
  readonly machine: string;
  readonly magic: string;
  readonly program: string;
}): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const dir = opened.use(await openTempDir());
  await runCommandOk(["mount", "-t", "binfmt_misc", "binfmt_misc", dir.path]);
  opened.defer(async () => void (await runCommandOk(["umount", dir.path])));
  const name = `hawser-test-${of.machine}-${process.pid}`;
  await writeFile(join(dir.path, "register"), `:${name}:M::${of.magic}::${of.program}:F`);
  opened.defer(() => writeFile(join(dir.path, name), "-1"));
  return opened.move();
}

describe("builds for several machines", hawserOnly, () => {
  let client: BuildkitClient;
  let registry: RegistryProgram;
  const used = new AsyncDisposableStack();
  before(async () => {
    client = used.use(await openBuildkitClient(target, "sid"));
    const dir = used.use(await openTempDir());
    registry = used.use(await startRegistry(dir.path));
  });
  after(() => used.disposeAsync());

  const source = () =>
    openFiles({
      Dockerfile: `FROM --platform=$BUILDPLATFORM busybox AS tools
RUN echo once; date +%N > /once
FROM --platform=$BUILDPLATFORM busybox AS make
ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH
RUN echo $TARGETPLATFORM $TARGETOS $TARGETARCH/$TARGETVARIANT $BUILDPLATFORM $BUILDARCH > /made
FROM scratch
ARG TARGETARCH
COPY --from=tools /once /
COPY --from=make /made /
LABEL for=$TARGETARCH
`,
    });

  test("an archive has an index of an image for each, and what they have in common is made once", async () => {
    await using dir = await source();
    const dest = join(dir.path, "out.tar");
    const output = ["--output", `type=oci,dest=${dest},name=multi:kit`];
    const built = await client.ok("build", ...both, "--no-cache", ...output, dir.path);
    assert.equal(built.match(/^#\d+ [\d.]+ once$/gm)?.length, 1, built);
    assert.match(built, /\[linux\/amd64 tools 2\/2\] RUN echo once/);
    assert.match(built, /\[linux\/s390x stage-2 2\/2\] COPY/);
    const { top, images } = await readLayout(dest);
    assert.equal(top.annotations?.["org.opencontainers.image.ref.name"], "kit");
    assert.deepEqual(
      images.map(({ platform, architecture, labels }) => [platform, architecture, labels]),
      [
        ["amd64", "amd64", { for: "amd64" }],
        ["s390x", "s390x", { for: "s390x" }],
      ],
    );
    const [first, second] = images.map(({ layers }) => layers.map(({ digest }) => digest));
    assert.equal(first?.[0], second?.[0]);
    assert.notEqual(first?.[1], second?.[1]);
  });

  test("folders and archives of files have one for each", async () => {
    await using dir = await source();
    await client.ok("build", ...both, "--output", join(dir.path, "out"), dir.path);
    const made = (await readFile(join(dir.path, "out/linux_s390x/made"), "utf8")).trim();
    assert.equal(made, "linux/s390x linux s390x/ linux/amd64 amd64");
    assert.deepEqual(await readdir(join(dir.path, "out")), ["linux_amd64", "linux_s390x"]);
    const archive = join(dir.path, "out.tar");
    await client.ok("build", ...both, "--output", `type=tar,dest=${archive}`, dir.path);
    const names: string[] = [];
    for await (const { entry } of readTar(createReadStream(archive))) names.push(entry.path.toString());
    assert.ok(names.includes("linux_s390x/made") && names.includes("linux_amd64/once"), names.join());
  });

  test("a registry has an index, from which each machine's build goes on", async () => {
    await using dir = await source();
    const name = `${registry.host}/multi:1`;
    await client.ok("build", ...both, "-t", name, "--push", dir.path);
    const response = await fetch(`${registry.url}/v2/multi/manifests/1`, {
      headers: { accept: "application/vnd.oci.image.index.v1+json" },
    });
    const { manifests } = (await response.json()) as { readonly manifests: readonly Descriptor[] };
    assert.deepEqual(
      manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`),
      ["linux/amd64", "linux/s390x"],
    );
    await using onTop = await openFiles({
      other: `FROM ${name}\nCOPY other /\n`,
    });
    const [hawser] = clients.filter((one) => one.name === "hawser");
    assert.ok(hawser);
    const args = [
      "build",
      ...both,
      "-f",
      join(onTop.path, "other"),
      "--output",
      "type=local,dest=out",
      onTop.path,
    ];
    const built = await runClient(target, hawser, { args, cwd: onTop.path });
    assert.equal(built.exitCode, 0, built.stderr);
    for (const arch of ["amd64", "s390x"]) {
      const made = await readFile(join(onTop.path, `out/linux_${arch}/made`), "utf8");
      assert.match(made, new RegExp(`^linux/${arch} `));
      await stat(join(onTop.path, `out/linux_${arch}/other`));
    }
    // The image of this machine has kept its name.
    assert.equal((await target.inspect(name))["Architecture"], "amd64");

    // This machine's image is known here as what was pushed of it alone; from the registry all machines' are one.
    const build = async (...flags: readonly string[]) => {
      const run = { args: ["build", ...flags, ...args.slice(3)], cwd: onTop.path };
      const { exitCode, stderr } = await runClient(target, hawser, run);
      assert.equal(exitCode, 0, stderr);
    };
    const all = { digest: response.headers.get("docker-content-digest") };
    const [here] = manifests;
    const each = { platforms: { "linux/amd64": { digest: here?.digest }, "linux/s390x": all } };
    for (const [order, wanted] of [
      ["linux/amd64,linux/s390x", each],
      ["linux/s390x,linux/amd64", each],
      ["linux/s390x,linux/amd64", all],
    ] as const) {
      if (wanted === all) await target.ok("rmi", "-f", name);
      await build("--platform", order, "--lock");
      const lock = JSON.parse(await readFile(join(onTop.path, "hawser.lock"), "utf8"));
      assert.deepEqual(lock.images, { [name]: wanted });
      await build("--platform", order, "--locked");
      for (const arch of ["amd64", "s390x"]) {
        const made = await readFile(join(onTop.path, `out/linux_${arch}/made`), "utf8");
        assert.match(made, new RegExp(`^linux/${arch} `));
      }
    }
    await target.ok("rmi", "-f", name);
    await build(...both, "--locked");
  });

  test("a lock has for each machine what a name was for it", async () => {
    const [hawser] = clients.filter((one) => one.name === "hawser");
    assert.ok(hawser);
    const name = `${registry.host}/mixed:1`;
    const push = async (word: string) => {
      await using dir = await openFiles({ Dockerfile: "FROM scratch\nCOPY word /\n", word });
      await client.ok("buildx", "build", ...both, "-t", name, "--push", dir.path);
    };
    /** This machine's image is another one from then on, which no registry has. */
    const buildHere = async (word: string) => {
      await using dir = await openFiles({ Dockerfile: "FROM scratch\nCOPY word /\n", word });
      await client.ok("build", "-t", name, dir.path);
      return textOf((await target.inspect(name))["Id"]);
    };
    await using dir = await openFiles({ Dockerfile: `FROM ${name}\n` });
    const run = (...flags: readonly string[]) => {
      const args = ["build", ...flags, "--output", "type=local,dest=out", "."];
      return runClient(target, hawser, { args, cwd: dir.path });
    };
    const words = async (...flags: readonly string[]) => {
      const { exitCode, stderr } = await run(...both, ...flags);
      assert.equal(exitCode, 0, stderr);
      const read = (arch: string) => readFile(join(dir.path, `out/linux_${arch}/word`), "utf8");
      return `${await read("amd64")} ${await read("s390x")}`;
    };
    await push("pushed");
    const own = await buildHere("own");
    assert.equal(await words("--lock"), "own pushed");
    const lock = JSON.parse(await readFile(join(dir.path, "hawser.lock"), "utf8"));
    const { platforms } = lock.images[name];
    assert.deepEqual(platforms["linux/amd64"], { id: own });
    assert.match(platforms["linux/s390x"].digest, /^sha256:/);
    await push("newer");
    await target.ok("tag", own, name);
    assert.equal(await words(), "own newer");
    assert.equal(await words("--locked"), "own pushed");
    const unknown = await run("--platform", "linux/arm64", "--locked");
    assert.match(unknown.stderr, /mixed:1 for linux\/arm64: it is not in the lock file/);
    await buildHere("other");
    await target.ok("image", "prune", "-f");
    const drifted = await run(...both, "--locked");
    assert.match(drifted.stderr, /mixed:1: it is sha256:\S+, the lock file has sha256:/);
  });

  test("here the name is the image's for this machine; an archive of one image cannot have two", async () => {
    await using dir = await source();
    await client.ok("build", ...both, "-t", "multi:here", dir.path);
    assert.equal((await target.inspect("multi:here"))["Architecture"], "amd64");
    const { stderr } = await client.run(["build", ...both, "--output", "type=docker,dest=-", dir.path]);
    assert.match(stderr, /exporting manifest lists/);
  });

  /** A program of a big-endian s390x: its ELF header. */
  const foreignProgram = async () => {
    const dir = await openFiles({ Dockerfile: 'FROM scratch\nCOPY program /\nRUN ["/program"]\n' });
    const header = Buffer.alloc(64);
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1]);
    header.writeUInt16BE(2, 16);
    header.writeUInt16BE(22, 18);
    await writeFile(join(dir.path, "program"), header, { mode: 0o755 });
    return dir;
  };

  test("a program for a machine that this one cannot be says what is missing", async () => {
    await using dir = await foreignProgram();
    const { exitCode, stderr } = await client.run(["build", "--platform", "linux/s390x", dir.path]);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /it is a program for linux\/s390x, and this machine has no emulator[^]*qemu-user-static/,
    );
  });

  test("a program for a machine that this one cannot be runs where an emulator is registered", async () => {
    await using dir = await foreignProgram();
    await using _ = await openEmulator({
      machine: "s390x",
      magic: "\\x7fELF\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x16",
      program: join(root, "build/native/hello"),
    });
    const built = await client.ok("build", "--platform", "linux/s390x", "--no-cache", dir.path);
    assert.match(built, /^#\d+ [\d.]+ .*Hello from Hawser/im);
  });
});
