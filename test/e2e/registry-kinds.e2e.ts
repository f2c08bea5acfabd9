import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openTempDir } from "@hawser/base/testing";
import { mediaTypes } from "@hawser/oci";
import {
  digestOf,
  openTestRegistry,
  pushBlob,
  type TestRegistry,
} from "../conformance/distribution/kit-registry.ts";
import { dockerCli } from "./kit-cli.ts";
import { openDockerd } from "./kit-dockerd.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { forwardLoopback } from "./kit-forward.ts";
import { openPodmanStore, type PodmanStore } from "./kit-podman.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";
import { busyboxLayer, layerOf } from "./kit-registry.ts";
import { againstDockerd } from "./kit-target.ts";

interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[];
}

/** A layer as an image has it: its blob, its type, and what it unpacks to. */
interface KindLayer {
  readonly plain: Buffer;
  readonly blob: Buffer;
  readonly mediaType: string;
  readonly isForeign?: boolean;
}

const gzip = (plain: Buffer): KindLayer => ({
  plain,
  blob: gzipSync(plain, { level: 1 }),
  mediaType: mediaTypes.ociLayerGzip,
});
const docker = (plain: Buffer): KindLayer => ({ ...gzip(plain), mediaType: mediaTypes.dockerLayerGzip });
const zstd = (plain: Buffer): KindLayer => ({
  plain,
  blob: zstdCompressSync(plain),
  mediaType: mediaTypes.ociLayerZstd,
});
const plainTar = (plain: Buffer): KindLayer => ({
  plain,
  blob: plain,
  mediaType: "application/vnd.oci.image.layer.v1.tar",
});
const foreign = (plain: Buffer): KindLayer => ({
  ...gzip(plain),
  mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  isForeign: true,
});
const empty = Buffer.alloc(1024);

let busyboxes = 0;
/** Each time another layer of the same files, padded as tar pads: podman and buildah push whatever form of a layer they have seen anywhere. */
const ownBusybox = async () => Buffer.concat([await busyboxLayer(), Buffer.alloc(1024 * ++busyboxes)]);
const patience = { timeoutMs: 300_000 };

/**
 * Images of all kinds keep their bytes on every way between our registry, our engine, skopeo, podman and buildah. With
 * `HAWSER_E2E_AGAINST=dockerd`, a dockerd is the engine, which keeps layers, but not the manifest that they came with.
 */
describe("an image", () => {
  let engine: { readonly docker: TestEngine["docker"] };
  let registry: TestRegistry;
  let store: PodmanStore;
  const resources = new AsyncDisposableStack();
  before(async () => {
    registry = resources.use(await openTestRegistry());
    if (againstDockerd) {
      const { host: at, program } = resources.use(await openDockerd({ isolate: true }));
      resources.use(await forwardLoopback(Number(new URL(registry.url).port), program.pid));
      engine = { docker: (args, options) => runCommand([dockerCli(), "-H", at, ...args], options) };
    } else engine = resources.use(await openEngine());
    store = resources.use(await openPodmanStore());
  });
  after(() => resources.disposeAsync());

  const put = async (repository: string, reference: string, manifest: object): Promise<Described> => {
    const body = JSON.stringify(manifest);
    const { mediaType } = manifest as { readonly mediaType: string };
    const headers = { "Content-Type": mediaType };
    const path = `/v2/${repository}/manifests/${reference === "" ? digestOf(body) : reference}`;
    const { status, body: said } = await registry.ask("PUT", path, { headers, body });
    assert.equal(status, 201, said.toString());
    return { mediaType, digest: digestOf(body), size: Buffer.byteLength(body) };
  };
  const blobOf = async (
    repository: string,
    bytes: Buffer | string,
    mediaType: string,
  ): Promise<Described> => {
    const digest = await pushBlob(registry, repository, bytes);
    const size = Buffer.byteLength(bytes);
    // In the order of the fields that clients write each in.
    return mediaType.includes(".docker.") ? { mediaType, size, digest } : { mediaType, digest, size };
  };
  const publish = async (repository: string, reference: string, layers: readonly KindLayer[]) => {
    const isDocker = layers.some(({ mediaType }) => mediaType === mediaTypes.dockerLayerGzip);
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ plain }) => digestOf(plain)) },
    });
    const described: Described[] = [];
    for (const { blob, mediaType, isForeign } of layers) {
      const layer = await blobOf(repository, blob, mediaType);
      const urls = [`${registry.url}/v2/${repository}/blobs/${layer.digest}`];
      described.push({ ...layer, ...(isForeign === true && { urls }) });
    }
    return await put(repository, reference, {
      schemaVersion: 2,
      mediaType: isDocker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
      config: await blobOf(repository, config, isDocker ? mediaTypes.dockerConfig : mediaTypes.ociConfig),
      layers: described,
    });
  };
  const digestAt = async (repository: string, reference: string) => {
    const accept = [mediaTypes.dockerManifest, mediaTypes.ociManifest, mediaTypes.ociIndex].join(", ");
    const path = `/v2/${repository}/manifests/${reference}`;
    const { status, body } = await registry.ask("GET", path, { headers: { Accept: accept } });
    assert.equal(status, 200, `${repository}:${reference}: ${body.toString()}`);
    return digestOf(body);
  };
  const partsAt = async (folder: string, kind: string, reference: string) => {
    const headers = { Accept: [mediaTypes.dockerManifest, mediaTypes.ociManifest].join(", ") };
    const { body } = await registry.ask("GET", `/v2/${folder}/${kind}/manifests/${reference}`, { headers });
    const { config, layers } = JSON.parse(body.toString()) as {
      readonly config: Described;
      readonly layers: readonly Described[];
    };
    return { config: config.digest, layers: layers.map(({ digest }) => digest) };
  };
  const ok = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await engine.docker(args, patience);
    assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const host = () => new URL(registry.url).host;

  /** From the registry by one client, and back by the same or the other. */
  const checkWays = async (
    kind: string,
    { whole, image }: { readonly whole: string; readonly image: string },
  ) => {
    const from = `${host()}/kinds/${kind}:v1`;
    await using dir = await openTempDir("hawser-kinds-");
    const copy = `dir:${join(dir.path, "copy")}`;
    const skopeo = ["skopeo", "copy", "--all", "--preserve-digests"];
    await runCommandOk([...skopeo, "--src-tls-verify=false", `docker://${from}`, copy], patience);
    await runCommandOk(
      [...skopeo, "--dest-tls-verify=false", copy, `docker://${host()}/by-skopeo/${kind}:v1`],
      patience,
    );
    assert.equal(await digestAt(`by-skopeo/${kind}`, "v1"), whole, "skopeo gives the registry what it got");
    assert.equal(await digestAt(`by-skopeo/${kind}`, image), image);
    // skopeo leaves a foreign layer where it is, and engines on Linux, Docker's too, ask only the registry for it.
    const there = kind === "foreign-layers" ? from : `${host()}/by-skopeo/${kind}:v1`;
    assert.match(await ok("pull", there), new RegExp(`Digest: ${whole}`));
    await ok("tag", there, `${host()}/by-engine/${kind}:v1`);
    await ok("push", `${host()}/by-engine/${kind}:v1`);
    if (againstDockerd)
      assert.deepEqual(await partsAt("by-engine", kind, "v1"), await partsAt("kinds", kind, image));
    else assert.equal(await digestAt(`by-engine/${kind}`, "v1"), image, "the engine gives it what it got");
    assert.equal(await ok("run", "--rm", there, "cat", "/word"), kind);
    const again = `dir:${join(dir.path, "again")}`;
    await runCommandOk(
      [...skopeo, "--src-tls-verify=false", `docker://${host()}/by-engine/${kind}:v1`, again],
      patience,
    );
    await ok("rmi", there, `${host()}/by-engine/${kind}:v1`);
    // They push a layer whose address is elsewhere as one of theirs.
    if (kind !== "foreign-layers") await checkPodman(kind, image);
  };

  /** They keep layers unpacked, and find what those were in a registry that has them. */
  const checkPodman = async (kind: string, image: string) => {
    const plain = "--tls-verify=false";
    const [from, byBuildah, byPodman] = ["kinds", "by-buildah", "by-podman"].map(
      (repository) => `${host()}/${repository}/${kind}:v1`,
    ) as [string, string, string];
    await store.podman("pull", "-q", plain, from);
    await store.buildah("push", "-q", plain, from, `docker://${byBuildah}`);
    assert.equal(await digestAt(`by-buildah/${kind}`, "v1"), image, "buildah gives what podman got");
    await store.podman("rmi", "-f", from);
    if (kind === "deep") return; // the way back of so many layers takes long, and is the same code
    await store.buildah("pull", "-q", plain, byBuildah);
    await store.podman("push", "-q", plain, byBuildah, byPodman);
    assert.equal(await digestAt(`by-podman/${kind}`, "v1"), image, "podman gives what buildah got");
    await store.podman("rmi", "-f", byBuildah);
  };

  const kinds: Readonly<Record<string, (plain: readonly Buffer[]) => readonly KindLayer[]>> = {
    docker: (plain) => plain.map(docker),
    oci: (plain) => plain.map(gzip),
    zstd: (plain) => plain.map(zstd),
    plain: (plain) => plain.map(plainTar),
    mixed: (plain) => plain.map((its, index) => [gzip, zstd, plainTar][index % 3]?.(its) ?? gzip(its)),
    "empty-layers": (plain) => [gzip(empty), ...plain.map(gzip), gzip(empty), gzip(empty)],
    "foreign-layers": (plain) => plain.map((its, index) => (index === 1 ? foreign(its) : docker(its))),
  };
  for (const [kind, layersOf] of Object.entries(kinds)) {
    test(`of the kind ${kind} is the same on all ways`, async () => {
      const plain = [await ownBusybox(), await layerOf({ other: kind }), await layerOf({ word: kind })];
      const { digest } = await publish(`kinds/${kind}`, "v1", layersOf(plain));
      await checkWays(kind, { whole: digest, image: digest });
    });
  }

  // One of dockerd's has two less: it keeps to overlay's old bound.
  const most = againstDockerd ? 125 : 127;
  test(`of ${most} layers is the same on all ways`, async () => {
    const many = await Promise.all(
      Array.from({ length: most - 2 }, (_, at) => layerOf({ [`at-${at}`]: "" })),
    );
    const plain = [await ownBusybox(), ...many, await layerOf({ word: "deep" })];
    const { digest } = await publish("kinds/deep", "v1", plain.map(gzip));
    await checkWays("deep", { whole: digest, image: digest });
  });

  test("of several platforms with attestations is the same on all ways", async () => {
    const repository = "kinds/index";
    const own = await publish(
      repository,
      "",
      [await ownBusybox(), await layerOf({ word: "index" })].map(gzip),
    );
    const other = await publish(repository, "", [gzip(await layerOf({ word: "another" }))]);
    const attestation = await put(repository, "", {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await blobOf(repository, "{}", mediaTypes.ociConfig),
      layers: [await blobOf(repository, '{"_type":"statement"}', "application/vnd.in-toto+json")],
    });
    const index = await put(repository, "v1", {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        { ...own, platform: { architecture: "amd64", os: "linux" } },
        { ...other, platform: { architecture: "s390x", os: "linux" } },
        {
          ...attestation,
          platform: { architecture: "unknown", os: "unknown" },
          annotations: {
            "vnd.docker.reference.digest": own.digest,
            "vnd.docker.reference.type": "attestation-manifest",
          },
        },
      ],
    });
    await checkWays("index", { whole: index.digest, image: own.digest });
    assert.equal(await digestAt("by-skopeo/index", attestation.digest), attestation.digest);
    assert.equal(await digestAt("by-skopeo/index", other.digest), other.digest);
  });
});
