import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attestationAnnotations, mediaTypes, parseDigest, parseReference } from "@hawser/oci";
import { openTestStore, type TestStore } from "../testing/open-test-store.ts";
import { configJson, dockerArchive, sha256 } from "../testing/test-images.ts";

type Files = Record<string, string>;

const blobName = (digest: string) => `blobs/sha256/${digest.slice(7)}`;

/** An archive of an index of one image, and of what is said of it, under the name `app:v1`. */
function attestedArchive(more: { readonly isDocker?: boolean; readonly attestations?: number } = {}) {
  const { isDocker = false, attestations = 1 } = more;
  const files: Files = {};
  const add = (mediaType: string, text: string) => {
    const digest = parseDigest(`sha256:${sha256(text)}`);
    files[blobName(digest)] = text;
    return { mediaType, digest, size: text.length };
  };
  const manifestOf = (config: string, ...layers: string[]) =>
    add(
      mediaTypes.ociManifest,
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: add(mediaTypes.ociConfig, config),
        layers: layers.map((text) => add("application/vnd.in-toto+json", text)),
      }),
    );
  const config = configJson([]);
  const image = manifestOf(config);
  const statement = `{"_type":"statement"}`;
  const said = Array.from({ length: attestations }, (_, at) => ({
    ...manifestOf(`{"at":${at}}`, statement),
    annotations: attestationAnnotations(image.digest),
  }));
  const index = add(
    mediaTypes.ociIndex,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ ...image, platform: { os: "linux", architecture: "amd64" } }, ...said],
    }),
  );
  const named = (name: string) => ({
    annotations: { "io.containerd.image.name": `docker.io/library/${name}` },
  });
  files["oci-layout"] = `{"imageLayoutVersion":"1.0.0"}`;
  files["index.json"] = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { ...index, ...named("app:v1") },
      { ...image, ...named("plain:v1") },
    ],
  });
  const configName = blobName(`sha256:${sha256(config)}`);
  if (isDocker) {
    const list = [{ Config: configName, RepoTags: ["app:v1", "plain:v1"], Layers: [] }];
    files["manifest.json"] = JSON.stringify(list);
  }
  return { files, index: index.digest, statement: blobName(`sha256:${sha256(statement)}`) };
}

const load = async ({ store }: TestStore, files: Files) =>
  await Array.fromAsync(store.maker.load(dockerArchive(files)));
const indexOf = ({ store }: TestStore, name: string) =>
  store.images.tagsOf(parseReference(name))[0]?.attested;

describe("maker.load() of what is said of an image", () => {
  for (const isDocker of [false, true]) {
    test(`keeps it by the name that has it${isDocker ? ", in Docker's archives, too" : ""}`, async () => {
      await using test = await openTestStore();
      const { files, index } = attestedArchive({ isDocker });
      await load(test, files);
      await test.reopen();
      assert.equal(indexOf(test, "app"), index);
      assert.equal(indexOf(test, "plain"), undefined);
      const kept = await test.store.images.distributeIndex(index, async ({ blobs }) => blobs.length);
      assert.equal(kept, 3, "two configurations, one statement");
      await test.store.images.remove("app:v1", { isUsed: () => undefined });
      await test.store.images.remove("plain:v1", { isUsed: () => undefined });
      assert.deepEqual(await test.counts(), {});
    });

    test(`takes the image alone where it is missing${isDocker ? ", as in Docker's archives" : ""}`, async () => {
      await using test = await openTestStore();
      const { files, statement } = attestedArchive({ isDocker });
      delete files[statement];
      await load(test, files);
      assert.equal(indexOf(test, "app"), undefined);
      assert.deepEqual(await test.counts(), { "content/sha256": 2 }, "configuration and manifest");
    });

    test(`refuses what is something else${isDocker ? " in Docker's archives, too" : ""}`, async () => {
      await using test = await openTestStore();
      const { files, statement } = attestedArchive({ isDocker });
      files[statement] = `{"_type":"a lie ..."}`;
      await assert.rejects(load(test, files), /hashes to/);
      assert.deepEqual(await test.counts(), {});
    });
  }

  test("refuses more than anybody says", async () => {
    await using test = await openTestStore();
    await assert.rejects(load(test, attestedArchive({ attestations: 17 }).files), /17 are there, at most 16/);
    await using small = await openTestStore({ maxAttestationBlobs: 3 });
    await load(small, attestedArchive().files);
    await assert.rejects(load(small, attestedArchive({ attestations: 2 }).files), /at most 3 blobs/);
    await using short = await openTestStore({ maxAttestationBytes: 100 });
    await assert.rejects(load(short, attestedArchive().files), /of 100 bytes together/);
    assert.deepEqual(await short.counts(), {});
  });
});
