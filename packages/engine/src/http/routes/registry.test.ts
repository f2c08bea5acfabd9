import assert from "node:assert/strict";
import { request } from "node:http";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { RegistryAccess } from "@hawser/registry/client";
import type { RemoteImages } from "../../images/remote-images.ts";
import { openApi } from "../testing/open-api.ts";
import { registryRoutes } from "./registry.ts";

const json = JSON.stringify({ username: "ann", password: "\u00ff\u00fe?>" });

/** Header → who is taken to ask; what cannot be read is nobody, as with dockerd 28, and never a refusal. */
for (const [header, username] of [
  [undefined, undefined],
  ["", undefined],
  ["no base64 of JSON!", undefined],
  [Buffer.from("[]").toString("base64"), undefined],
  [Buffer.from('{"username":5}').toString("base64"), undefined],
  [Buffer.from("{}").toString("base64"), undefined],
  [Buffer.from(json).toString("base64"), "ann"],
  [Buffer.from(json).toString("base64url"), "ann"],
] as const) {
  test(`a push with X-Registry-Auth ${header ?? "missing"} is ${username ?? "nobody"}'s`, async () => {
    const asked = Promise.withResolvers<RegistryAccess>();
    const registry = {
      push(_: string, options: { readonly access: RegistryAccess }) {
        asked.resolve(options.access);
        return Readable.from([]);
      },
    } as unknown as RemoteImages;
    await using api = await openApi(registryRoutes(registry));
    const headers = { ...(header !== undefined && { "X-Registry-Auth": header }), "X-Meta-Build": "7" };
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    request({ socketPath: api.path, method: "POST", path: "/images/a/push?tag=1", headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    })
      .on("error", reject)
      .end();
    assert.equal(await promise, 200);
    const access = await asked.promise;
    assert.equal(access.credentials?.username, username);
    assert.deepEqual(access.headers, { "x-meta-build": "7" });
  });
}
