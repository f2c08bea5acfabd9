import assert from "node:assert/strict";
import test from "node:test";
import { parsePlatform } from "@hawser/oci";
import { fitsPlatform } from "./check-platform.ts";

const host = { os: "linux", architecture: "amd64" };
const fits = (wanted: string, is: string) =>
  fitsPlatform(parsePlatform(wanted, host), parsePlatform(is, host));

test("a machine runs what is for it, and what is for an older one of its kind", () => {
  assert.ok(fits("linux/amd64", "linux/amd64"));
  assert.ok(fits("linux/arm64", "linux/arm64/v8"));
  assert.ok(fits("linux/arm/v7", "linux/arm/v6"));
  assert.ok(fits("linux/amd64/v3", "linux/amd64"));
  assert.ok(!fits("linux/arm/v6", "linux/arm/v7"));
  assert.ok(!fits("linux/amd64", "linux/arm64"));
  assert.ok(!fits("windows/amd64", "linux/amd64"));
});
