import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readExporter } from "./read-exporter.ts";

const read = (type: string, attributes: Readonly<Record<string, string>> = {}) =>
  readExporter({ type, attributes }, { isIndex: false });

describe("readExporter()", () => {
  test("has a client's wishes for an image", () => {
    const exporter = read("image", {
      name: "a,b:1",
      push: "true",
      store: "false",
      compression: "zstd",
      "compression-level": "7",
      "annotation[linux/amd64].k.1": "v",
      "annotation-manifest-descriptor.d": "w",
    });
    assert.deepEqual(exporter, {
      kind: "image",
      names: ["docker.io/library/a:latest", "docker.io/library/b:1"],
      stores: false,
      push: "by-name",
      form: {
        encoding: { compression: "zstd", level: 7, force: false },
        isOci: true,
        annotations: { manifest: { "k.1": "v" }, descriptor: { d: "w" }, index: {}, indexDescriptor: {} },
        isDefault: false,
      },
    });
    const plain = read("moby", { load: "true", "name-canonical": "false" });
    assert.ok(plain.kind === "image" && plain.form.isDefault && plain.stores && plain.push === "no");
  });

  test("takes what is so anyway", () => {
    const usual = { name: "a", push: "true", "push-by-digest": "true", "name-canonical": "true" };
    const byDigest = read("image", usual);
    assert.ok(byDigest.kind === "image" && byDigest.push === "by-digest" && byDigest.form.isDefault);
  });

  test("knows archives and trees", () => {
    const folder = read("oci", { tar: "false" });
    assert.ok(folder.kind === "archive" && !folder.isFile && !folder.isDocker && folder.form.isOci);
    const docker = read("docker");
    assert.ok(docker.kind === "archive" && docker.isFile && docker.isDocker && !docker.form.isOci);
    assert.deepEqual(read("local", { "platform-split": "1" }), {
      kind: "tree",
      isFile: false,
      splits: true,
      prefix: "",
    });
  });

  test("refuses by its name what would not be heeded", () => {
    const refused = (type: string, attributes: Readonly<Record<string, string>>, message: RegExp) =>
      assert.throws(() => read(type, attributes), { message });
    refused("other", {}, /exporter "other"/);
    refused("image", { "registry.insecure": "true" }, /"registry.insecure" of the exporter "image"/);
    refused("local", { "annotation.x": "y" }, /"annotation.x" of the exporter "local"/);
    refused("oci", { "annotation-index.x": "y" }, /single platform/);
    refused("image", { push: "perhaps" }, /invalid push "perhaps"/);
    refused("image", { compression: "estargz" }, /invalid compression "estargz"/);
    for (const level of ["10", "-1", "x", "1.5"])
      refused("image", { "compression-level": level }, /0 to 9 for gzip/);
    refused("oci", { compression: "zstd", "compression-level": "0" }, /1 to 22 for zstd/);
  });
});
