import assert from "node:assert/strict";
import { fuzz, orRefused } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./manifest.ts";
import {
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  withDefaultTag,
} from "./reference.ts";

/** Texts that are nearly references. */
const near = fc
  .array(
    fc.oneof(
      fc.constantFrom("a", "B", "0", ".", "_", "-", "/", ":", "@", "sha256", "localhost", " ", "é"),
      fc.string({ maxLength: 3 }),
    ),
    {
      maxLength: 20,
    },
  )
  .map((parts) => parts.join(""));

fuzz("a reference is refused, or means the same written out and read again", near, (text) => {
  const reference = orRefused(["invalid-argument"], () => parseReference(text));
  if (reference === undefined) return;
  assert.deepEqual(parseReference(formatReference(reference)), reference);
  assert.deepEqual(parseReference(formatFamiliar(reference)), reference);
  withDefaultTag(reference);
});

fuzz("any text is an id, a reference or refused", fc.oneof(near, fc.string({ unit: "binary" })), (text) => {
  orRefused(["invalid-argument"], () => parseAnyReference(text));
});

const names = [
  "config",
  "layers",
  "manifests",
  "mediaType",
  "digest",
  "size",
  "rootfs",
  "diff_ids",
  "history",
  "Env",
  "Cmd",
  "architecture",
  "os",
  "created",
  "schemaVersion",
  "ExposedPorts",
  "Labels",
];
const document = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      2,
      1e30,
      "",
      "linux",
      "amd64",
      `sha256:${"0".repeat(64)}`,
      "application/vnd.oci.image.manifest.v1+json",
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 6 }),
  ),
})).value;

fuzz("any document is a manifest or refused, a configuration or refused", document, (value) => {
  const bytes = Buffer.from(JSON.stringify(value));
  orRefused(["invalid-argument", "data-loss"], () => parseManifest(bytes));
  orRefused(["invalid-argument", "data-loss"], () => parseImageConfig(bytes));
});
