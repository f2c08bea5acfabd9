import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openTestRegistry, type TestRegistry } from "../conformance/distribution/kit-registry.ts";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { againstDockerd } from "./kit-target.ts";

interface Manifest {
  readonly mediaType: string;
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

describe("what buildx asks exporters for", { skip: againstDockerd }, () => {
  let registry: TestRegistry;
  let engine: TestEngine;
  let client: BuildkitClient;
  let context: Awaited<ReturnType<typeof openFiles>>;
  const resources = new AsyncDisposableStack();
  before(async () => {
    registry = resources.use(await openTestRegistry());
    engine = resources.use(await openEngine());
    const environment = () => ({ ...process.env, DOCKER_HOST: engine.host, TERM: "xterm" });
    client = resources.use(await openBuildkitClient({ environment }, "sid"));
    context = resources.use(
      await openFiles({
        Twice: "FROM scratch\nCOPY Twice /\n",
        Dockerfile: "FROM busybox\nRUN mkdir /d && echo made > /d/file && ln /d/file /d/same\n",
      }),
    );
  });
  after(() => resources.disposeAsync());

  const host = () => new URL(registry.url).host;
  const build = async (...args: readonly string[]) =>
    await client.ok("buildx", "build", ...args, context.path);
  const manifestOf = async (repository: string, reference: string) => {
    const accept = [
      "application/vnd.oci.image.manifest.v1+json",
      "application/vnd.docker.distribution.manifest.v2+json",
    ].join(", ");
    const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
      headers: { accept },
    });
    assert.equal(answer.status, 200);
    return (await answer.json()) as Manifest;
  };
  const typesOf = ({ layers }: Manifest) => [...new Set(layers.map(({ mediaType }) => mediaType))];

  test("a push under several names, in Docker's types", async () => {
    await using out = await openTempDir();
    const names = ["a:1", "b:2"].map((name) => `${host()}/several/${name}`);
    const metadata = join(out.path, "metadata");
    await build("--push", "-t", names[0] ?? "", "-t", names[1] ?? "", "--metadata-file", metadata);
    const manifest = await manifestOf("several/a", "1");
    assert.deepEqual(await manifestOf("several/b", "2"), manifest);
    assert.deepEqual(typesOf(manifest), ["application/vnd.docker.image.rootfs.diff.tar.gzip"]);
    const told = JSON.parse(await readFile(metadata, "utf8")) as Record<string, string>;
    assert.deepEqual(await manifestOf("several/a", told["containerimage.digest"] ?? ""), manifest);
    assert.equal(told["containerimage.config.digest"], manifest.config.digest);
  });

  test("what is told of an image that is kept here, and of how any result was made", async () => {
    await using out = await openTempDir();
    const file = join(out.path, "metadata");
    const told = async (...args: readonly string[]) => {
      await build("--metadata-file", file, ...args);
      return JSON.parse(await readFile(file, "utf8")) as Record<string, { materials?: { uri: string }[] }>;
    };
    const kept = await told("-t", "told:1");
    assert.equal(kept["containerimage.descriptor"], undefined);
    for (const metadata of [kept, await told("-o", join(out.path, "folder"))]) {
      const [material] = metadata["buildx.build.provenance"]?.materials ?? [];
      assert.match(material?.uri ?? "", /^pkg:docker\/busybox@latest\?platform=linux%2F/);
    }
    const two = await told(
      "--platform",
      "linux/amd64,linux/arm64",
      "-o",
      "type=cacheonly",
      "-f",
      join(context.path, "Twice"),
    );
    assert.deepEqual(
      Object.keys(two).filter((name) => name.includes("/")),
      ["buildx.build.provenance/linux/amd64", "buildx.build.provenance/linux/arm64"],
    );
    const listed = await client.ok("buildx", "history", "inspect", "attachment", "--type", "provenance");
    assert.match(listed, /"buildType"/);
    const unknown = await client.run(["buildx", "history", "rm", "nothing"]);
    assert.equal(unknown.exitCode, 1);
  });

  test("compression, annotations, and nothing kept here", async () => {
    const name = `${host()}/form/zstd:1`;
    const form = "compression=zstd,compression-level=7,force-compression=true,rewrite-timestamp=true";
    const own = "annotation.org.example.word=of a kind,annotation-manifest-descriptor.x=y";
    await build("-o", `type=image,name=${name},push=true,store=false,${form},${own}`);
    const manifest = await manifestOf("form/zstd", "1");
    assert.equal(manifest.mediaType, "application/vnd.oci.image.manifest.v1+json");
    assert.deepEqual(typesOf(manifest), ["application/vnd.oci.image.layer.v1.tar+zstd"]);
    assert.deepEqual(manifest.annotations, { "org.example.word": "of a kind" });
    assert.notEqual((await client.run(["image", "inspect", name])).exitCode, 0);
    assert.match(await client.ok("run", "--rm", name, "cat", "/d/file"), /made\n/);
    const plain = `${host()}/form/plain:1`;
    const flags = "compression=uncompressed,force-compression=true,oci-mediatypes=true";
    await build("-o", `type=image,name=${plain},push=true,${flags}`);
    assert.deepEqual(typesOf(await manifestOf("form/plain", "1")), [
      "application/vnd.oci.image.layer.v1.tar",
    ]);
  });

  test("a push by digest names nothing", async () => {
    await using out = await openTempDir();
    const metadata = join(out.path, "metadata");
    const output = `type=image,name=${host()}/digest/x,push=true,push-by-digest=true,oci-mediatypes=true`;
    // buildx' driver docker has no such thing.
    const args = ["build", "-o", output, "--metadata-file", metadata, context.path];
    const { exitCode, stderr } = await engine.hawser(args);
    assert.equal(exitCode, 0, stderr);
    const told = JSON.parse(await readFile(metadata, "utf8")) as Record<string, string>;
    await manifestOf("digest/x", told["containerimage.digest"] ?? "");
    assert.equal((await fetch(`${registry.url}/v2/digest/x/manifests/latest`)).status, 404);
  });

  test("archives and folders, several at once", async () => {
    await using out = await openTempDir();
    const place = (name: string) => join(out.path, name);
    const folder = place("folder");
    const outputs = [
      `type=oci,dest=${place("oci.tar")},name=one:1,compression=zstd,force-compression=true`,
      `type=docker,dest=${place("docker.tar")},name=loaded:1`,
      `type=local,dest=${place("split")},platform-split=true`,
      `type=tar,dest=${place("split.tar")},platform-split=true`,
    ];
    await build(...outputs.flatMap((output) => ["-o", output]));
    const files = new Map<string, Buffer>();
    for await (const { entry, data } of readTar(createReadStream(place("oci.tar")))) {
      files.set(entry.path.toString(), Buffer.concat(await Array.fromAsync(data)));
    }
    const index = JSON.parse(String(files.get("index.json"))) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    assert.equal(index.manifests[0]?.annotations["io.containerd.image.name"], "docker.io/library/one:1");
    for (const [path, bytes] of files) {
      const hex = /^blobs\/sha256\/(.+)$/.exec(path)?.[1];
      if (hex) assert.equal(createHash("sha256").update(bytes).digest("hex"), hex);
    }
    const top = files.get(`blobs/sha256/${index.manifests[0]?.digest.slice(7)}`);
    assert.deepEqual(typesOf(JSON.parse(String(top)) as Manifest), [
      "application/vnd.oci.image.layer.v1.tar+zstd",
    ]);
    await client.ok("load", "-i", place("docker.tar"));
    assert.match(await client.ok("run", "--rm", "loaded:1", "cat", "/d/same"), /made\n/);
    const [split = ""] = await readdir(place("split"));
    assert.match(split, /^linux_[a-z0-9]+/);
    assert.equal(await readFile(join(place("split"), split, "d/same"), "utf8"), "made\n");
    const paths: string[] = [];
    for await (const { entry } of readTar(createReadStream(place("split.tar")))) {
      paths.push(entry.path.toString());
    }
    assert.ok(paths.includes(`${split}/d/file`));
    assert.ok(paths.every((path) => path.startsWith(split)));

    await build("-o", `type=oci,dest=${folder},tar=false,name=one:1`);
    assert.deepEqual((await readdir(folder)).filter((name) => name !== "ingest").toSorted(), [
      "blobs",
      "index.json",
      "oci-layout",
    ]);
    const listed = JSON.parse(await readFile(join(folder, "index.json"), "utf8")) as typeof index;
    await readFile(join(folder, "blobs/sha256", listed.manifests[0]?.digest.slice(7) ?? ""));
  });

  test("what would not be heeded is refused by its name, before anything is done", async () => {
    for (const [output, words] of [
      ["type=image,name=x,registry.insecure=true", /attribute "registry.insecure" of the exporter "moby"/],
      ["type=image,name=x,compression=estargz", /invalid compression "estargz"/],
      ["type=image,name=x,compression=zstd,compression-level=99", /invalid compression-level "99"/],
      ["type=oci,dest=-,odd=1", /attribute "odd" of the exporter "oci"/],
      ["type=image,name=x,annotation-index.a=b", /index annotations not supported/],
    ] as const) {
      const { exitCode, stderr } = await client.run(["buildx", "build", "-o", output, context.path]);
      assert.equal(exitCode, 1, output);
      assert.match(stderr, words);
      assert.doesNotMatch(stderr, /RUN mkdir/);
    }
  });
});
