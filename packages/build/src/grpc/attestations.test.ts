import assert from "node:assert/strict";
import { test } from "node:test";
import { readAttestations } from "./attestations.ts";

test("readAttestations() knows what clients ask for", () => {
  assert.deepEqual(readAttestations({ "attest:provenance": "type=provenance,mode=min,version=v1" }), {
    provenance: {
      mode: "min",
      version: "v1",
      builderId: "",
      isReproducible: false,
      needsAll: false,
      filename: "provenance.json",
    },
  });
  const { provenance, sbom } = readAttestations({
    "build-arg:BUILDKIT_ATTEST_PROVENANCE": 'reproducible=1,"builder-id=a,b",filename=../x/p.json',
    "attest:sbom": "generator=scan:1,LEVEL=2",
  });
  assert.deepEqual(
    [provenance?.mode, provenance?.builderId, provenance?.isReproducible, provenance?.filename],
    ["max", "a,b", true, "p.json"],
  );
  assert.deepEqual(sbom, { generator: "scan:1", parameters: { LEVEL: "2" } });
  assert.equal(
    readAttestations({ "attest:sbom": "" }).sbom?.generator,
    "docker/buildkit-syft-scanner:stable-1",
  );
});

test("readAttestations() takes for no wish what buildx says by itself, and what is off", () => {
  const texts = { "attest:provenance": "mode=min,inline-only=true", "attest:sbom": "disabled=true" };
  assert.deepEqual(readAttestations({ ...texts, filename: "Dockerfile" }), {});
});

test("readAttestations() refuses what it would not heed, by its name", () => {
  const refused = (name: string, text: string, message: RegExp) =>
    assert.throws(() => readAttestations({ [name]: text }), { message });
  refused("attest:other", "", /unknown attestation type "other"/);
  refused("attest:provenance", "mode=odd", /invalid mode "odd"/);
  refused("attest:provenance", "version=v2", /invalid provenance SLSA version: v2/);
  refused("attest:provenance", "capture-usage=true", /"capture-usage" of provenance/);
  refused("attest:provenance", "reproducible=perhaps", /invalid reproducible "perhaps"/);
  refused("attest:provenance", "filename=a/..", /invalid filename/);
  refused("attest:sbom", "A B=c", /invalid parameter "A B"/);
});
