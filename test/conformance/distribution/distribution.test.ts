import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  describeBlob,
  digestOf,
  openTestRegistry,
  pushBlob,
  pushImage,
  type Reply,
  type TestRegistry,
  types,
} from "./kit-registry.ts";

/** distribution-spec 1.1, endpoint by endpoint. Names are the specification's. */
let registry: TestRegistry;
before(async () => {
  registry = await openTestRegistry();
});
after(() => registry[Symbol.asyncDispose]());

const repository = `conformance/r${randomBytes(4).toString("hex")}`;
const v2 = (path: string, name = repository) => `/v2/${name}/${path}`;
const unknown = digestOf("nobody has this");

function requireError(reply: Reply, status: number, code: string): void {
  assert.equal(reply.status, status, reply.body.toString());
  const { errors } = JSON.parse(reply.body.toString()) as {
    readonly errors: readonly { readonly code: string }[];
  };
  assert.equal(errors[0]?.code, code);
}

async function begin(query = "", name = repository): Promise<string> {
  const begun = await registry.ask("POST", v2(`blobs/uploads/${query}`, name));
  assert.equal(begun.status, 202, begun.body.toString());
  return String(begun.headers["location"]);
}

test("end-1: the registry is one", async () => {
  assert.equal((await registry.ask("GET", "/v2/")).status, 200);
});

describe("end-2: blobs", () => {
  const bytes = "0123456789";
  const path = () => v2(`blobs/${digestOf(bytes)}`);
  before(() => pushBlob(registry, repository, bytes));

  test("GET and HEAD", async () => {
    const got = await registry.ask("GET", path());
    assert.equal(got.status, 200);
    assert.equal(got.body.toString(), bytes);
    assert.equal(got.headers["docker-content-digest"], digestOf(bytes));
    const head = await registry.ask("HEAD", path());
    assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "10", 0]);
    assert.equal(head.headers["docker-content-digest"], digestOf(bytes));
  });

  for (const [range, status, wanted, contentRange] of [
    ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
    ["bytes=4-", 206, "456789", "bytes 4-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=8-100", 206, "89", "bytes 8-9/10"],
    ["bytes=5-2", 200, bytes, undefined],
    ["lines=1-2", 200, bytes, undefined],
    ["bytes=0-1,4-5", 200, bytes, undefined],
    ["bytes=10-", 416, undefined, "bytes */10"],
  ] as const) {
    test(`Range: ${range}`, async () => {
      const got = await registry.ask("GET", path(), { headers: { Range: range } });
      assert.equal(got.status, status);
      if (wanted !== undefined) assert.equal(got.body.toString(), wanted);
      assert.equal(got.headers["content-range"], contentRange);
    });
  }

  test("what is not there, and what is no digest", async () => {
    requireError(await registry.ask("GET", v2(`blobs/${unknown}`)), 404, "BLOB_UNKNOWN");
    assert.equal((await registry.ask("HEAD", v2(`blobs/${unknown}`))).status, 404);
    requireError(await registry.ask("GET", v2(`blobs/${digestOf(bytes)}`, "another")), 404, "BLOB_UNKNOWN");
    for (const digest of [
      "sha256:abc",
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "sha256:..%2f..%2fregistry.db",
    ]) {
      requireError(await registry.ask("GET", v2(`blobs/${digest}`)), 400, "DIGEST_INVALID");
    }
  });
});

describe("names", () => {
  for (const name of ["UPPER", "a//b", "-a", "a/", "a..b", "a%2f..%2f..%2fx", "_layers", "x".repeat(256)]) {
    test(`${name.slice(0, 20)} is refused`, async () => {
      const reply = await registry.ask("POST", `/v2/${name}/blobs/uploads/`);
      assert.ok([400, 404].includes(reply.status), `${reply.status}`);
    });
  }
  for (const name of ["a", "a/b/c/d", "a.b", "a__b", "a---b", `${"x".repeat(127)}/${"y".repeat(127)}`]) {
    test(`${name.slice(0, 20)} is taken`, async () => {
      assert.equal((await registry.ask("POST", `/v2/${name}/blobs/uploads/`)).status, 202);
    });
  }
});

describe("end-4 to end-6, end-11, end-13, end-14: pushing blobs", () => {
  const fresh = () => randomBytes(32).toString("hex");
  const requireBlob = async (bytes: string, digest = digestOf(bytes)) => {
    assert.equal((await registry.ask("GET", v2(`blobs/${digest}`))).body.toString(), bytes);
  };

  test("single POST", async () => {
    const bytes = fresh();
    const reply = await registry.ask("POST", v2(`blobs/uploads/?digest=${digestOf(bytes)}`), { body: bytes });
    assert.equal(reply.status, 201);
    assert.equal(reply.headers["location"], v2(`blobs/${digestOf(bytes)}`));
    await requireBlob(bytes);
  });

  test("POST, then PUT; sha512, too", async () => {
    for (const algorithm of ["sha256", "sha512"] as const) {
      const bytes = fresh();
      const location = await begin(`?digest-algorithm=${algorithm}`);
      const digest = digestOf(bytes, algorithm);
      const put = await registry.ask("PUT", `${location}?digest=${digest}`, { body: bytes });
      assert.deepEqual([put.status, put.headers["docker-content-digest"]], [201, digest]);
      await requireBlob(bytes, digest);
    }
    const bytes = fresh();
    const digest = digestOf(bytes, "sha512");
    assert.equal(
      (await registry.ask("PUT", `${await begin()}?digest=${digest}`, { body: bytes })).status,
      201,
    );
    await requireBlob(bytes, digest);
  });

  test("in chunks, with the last one in the PUT, and the way there asked for", async () => {
    const bytes = fresh();
    const location = await begin();
    const patch = (from: number, to: number) =>
      registry.ask("PATCH", location, {
        headers: { "Content-Range": `${from}-${to - 1}`, "Content-Type": "application/octet-stream" },
        body: bytes.slice(from, to),
      });
    const first = await patch(0, 10);
    assert.deepEqual([first.status, first.headers["range"]], [202, "0-9"]);
    const wrong = await patch(20, 30);
    requireError(wrong, 416, "BLOB_UPLOAD_INVALID");
    assert.equal(wrong.headers["range"], "0-9");
    assert.equal((await patch(0, 10)).status, 416);
    const status = await registry.ask("GET", location);
    assert.deepEqual([status.status, status.headers["range"]], [204, "0-9"]);
    assert.equal((await patch(10, 40)).status, 202);
    const put = await registry.ask("PUT", `${location}?digest=${digestOf(bytes)}`, {
      headers: { "Content-Range": `40-${bytes.length - 1}` },
      body: bytes.slice(40),
    });
    assert.equal(put.status, 201, put.body.toString());
    await requireBlob(bytes);
    assert.equal((await registry.ask("GET", location)).status, 404);
  });

  test("as a stream of unknown length", async () => {
    const bytes = fresh();
    const location = await begin();
    const patched = await registry.ask("PATCH", location, {
      headers: { "Transfer-Encoding": "chunked" },
      body: bytes,
    });
    assert.deepEqual([patched.status, patched.headers["range"]], [202, `0-${bytes.length - 1}`]);
    assert.equal((await registry.ask("PUT", `${location}?digest=${digestOf(bytes)}`)).status, 201);
    await requireBlob(bytes);
  });

  test("nothing of a lie stays", async () => {
    const bytes = fresh();
    const location = await begin();
    const put = await registry.ask("PUT", `${location}?digest=${digestOf("other")}`, { body: bytes });
    requireError(put, 400, "DIGEST_INVALID");
    assert.equal((await registry.ask("HEAD", v2(`blobs/${digestOf(bytes)}`))).status, 404);
    assert.equal((await registry.ask("HEAD", v2(`blobs/${digestOf("other")}`))).status, 404);
    requireError(await registry.ask("PUT", `${await begin()}?digest=none`), 400, "DIGEST_INVALID");
    requireError(await registry.ask("PUT", await begin()), 400, "DIGEST_INVALID");
    const single = await registry.ask("POST", v2(`blobs/uploads/?digest=${digestOf("other")}`), {
      body: bytes,
    });
    requireError(single, 400, "DIGEST_INVALID");
    requireError(
      await registry.ask("PATCH", await begin(), { headers: { "Content-Range": "0-4" }, body: "123" }),
      400,
      "SIZE_INVALID",
    );
    assert.equal(
      (await registry.ask("PATCH", await begin(), { headers: { "Content-Range": "x" }, body: "1" })).status,
      400,
    );
    assert.equal((await registry.ask("POST", v2("blobs/uploads/?digest-algorithm=md5"))).status, 400);
  });

  test("cancel, and what is of another repository or nobody's", async () => {
    const location = await begin();
    const foreign = location.replace(repository, "another");
    for (const path of [
      foreign,
      v2("blobs/uploads/not-an-upload"),
      v2("blobs/uploads/..%2f..%2fregistry.db"),
    ]) {
      requireError(await registry.ask("PATCH", path, { body: "x" }), 404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert.equal((await registry.ask("DELETE", location)).status, 204);
    requireError(await registry.ask("GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("an upload has one name: by no other its bytes become others than those that were hashed", async () => {
    const bytes = fresh();
    const digest = await pushBlob(registry, "holder/of-it", bytes);
    const location = await begin();
    assert.equal((await registry.ask("PATCH", location, { body: bytes })).status, 202);
    const id = location.split("/").at(-1) ?? "";
    for (const other of [`..%2Fuploads%2F${id}`, `.%2F${id}`, id.toUpperCase(), "%00", "x".repeat(300)]) {
      const path = v2(`blobs/uploads/${other}`);
      for (const method of ["PATCH", "PUT", "DELETE", "GET"]) {
        const query = method === "PUT" ? `?digest=${digest}` : "";
        requireError(await registry.ask(method, `${path}${query}`, { body: "" }), 404, "BLOB_UPLOAD_UNKNOWN");
      }
    }
    assert.equal((await registry.ask("PUT", `${location}?digest=${digest}`)).status, 201);
    const kept = await registry.ask("GET", v2(`blobs/${digest}`, "holder/of-it"));
    assert.equal(kept.body.toString(), bytes);
  });

  test("mount from a repository, from anywhere, and what is nowhere", async () => {
    const bytes = fresh();
    const digest = await pushBlob(registry, repository, bytes);
    const mount = (query: string) =>
      registry.ask("POST", v2(`blobs/uploads/?mount=${digest}${query}`, "mounted/to"));
    const elsewhere = await mount("&from=no/such");
    assert.equal(elsewhere.status, 202);
    const mounted = await mount(`&from=${repository}`);
    assert.deepEqual([mounted.status, mounted.headers["location"]], [201, `/v2/mounted/to/blobs/${digest}`]);
    assert.equal((await registry.ask("GET", v2(`blobs/${digest}`, "mounted/to"))).body.toString(), bytes);
    assert.equal((await mount("")).status, 201);
    assert.equal((await registry.ask("POST", v2(`blobs/uploads/?mount=${unknown}`))).status, 202);
  });
});

describe("end-3, end-7, end-9: manifests", () => {
  const put = (reference: string, body: string | Uint8Array, type: string = types.manifest) =>
    registry.ask("PUT", v2(`manifests/${reference}`), { headers: { "Content-Type": type }, body });

  test("by tag and by digest, in the same bytes", async () => {
    const manifest = await pushImage(registry, repository, { reference: "one" });
    for (const reference of ["one", digestOf(manifest)]) {
      const got = await registry.ask("GET", v2(`manifests/${reference}`));
      assert.deepEqual([got.status, got.body.toString()], [200, manifest]);
      assert.equal(got.headers["content-type"], types.manifest);
      assert.equal(got.headers["docker-content-digest"], digestOf(manifest));
      const head = await registry.ask("HEAD", v2(`manifests/${reference}`));
      assert.deepEqual([head.status, head.headers["content-length"]], [200, String(manifest.length)]);
    }
  });

  test("a tag moves, several come at once", async () => {
    const [first, second] = [
      await pushImage(registry, repository, { reference: "moves", layer: "1" }),
      await pushImage(registry, repository, { reference: "moves", layer: "2" }),
    ];
    assert.equal((await registry.ask("GET", v2("manifests/moves"))).body.toString(), second);
    assert.equal((await registry.ask("GET", v2(`manifests/${digestOf(first)}`))).status, 200);
    const tagged = await registry.ask("PUT", v2(`manifests/${digestOf(first)}?tag=x1&tag=x2`), {
      headers: { "Content-Type": types.manifest },
      body: first,
    });
    assert.deepEqual([tagged.status, tagged.headers["oci-tag"]], [201, "x1, x2"]);
    assert.equal((await registry.ask("GET", v2("manifests/x2"))).body.toString(), first);
  });

  test("an index, also of what is not there; sha512", async () => {
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [describeBlob("not here", types.manifest)],
    });
    assert.equal((await put("index", index, types.index)).status, 201);
    const digest = digestOf(index, "sha512");
    assert.equal((await put(digest, index, types.index)).status, 201);
    assert.equal(
      (await registry.ask("GET", v2(`manifests/${digest}`))).headers["docker-content-digest"],
      digest,
    );
  });

  test("what is refused", async () => {
    const manifest = await pushImage(registry, repository);
    requireError(await put(unknown, manifest), 400, "DIGEST_INVALID");
    requireError(await put("bad", "no json"), 400, "MANIFEST_INVALID");
    requireError(await put("bad", "[]"), 400, "MANIFEST_INVALID");
    requireError(await put("bad", Buffer.from([0x22, 0xff, 0x22])), 400, "MANIFEST_INVALID");
    requireError(await put("bad", manifest, types.index), 400, "MANIFEST_INVALID");
    const bare = { schemaVersion: 2, layers: [] };
    requireError(await put("bad", JSON.stringify(bare), "text/html"), 400, "MANIFEST_INVALID");
    const said = JSON.stringify({ ...bare, mediaType: "application/a\r\nb" });
    requireError(await put("bad", said, "application/json"), 400, "MANIFEST_INVALID");
    requireError(await put("bad", said, ""), 400, "MANIFEST_INVALID");
    const lacking = JSON.stringify({ ...JSON.parse(manifest), layers: [describeBlob("gone", types.layer)] });
    requireError(await put("bad", lacking), 404, "MANIFEST_BLOB_UNKNOWN");
    const odd = JSON.stringify({ ...JSON.parse(manifest), layers: [{ digest: "../../x", size: 1 }] });
    requireError(await put("bad", odd), 400, "MANIFEST_INVALID");
    requireError(await put("bad", " ".repeat((8 << 20) + 1)), 413, "MANIFEST_INVALID");
    assert.equal((await put(".bad", manifest)).status, 400);
    assert.equal((await put("x".repeat(129), manifest)).status, 400);
    requireError(await registry.ask("GET", v2("manifests/bad")), 404, "MANIFEST_UNKNOWN");
    requireError(await registry.ask("GET", v2("manifests/x", "no/such")), 404, "NAME_UNKNOWN");
  });

  test("removing a tag leaves the manifest, removing the manifest takes its tags", async () => {
    const manifest = await pushImage(registry, repository, { reference: "gone1", layer: "to go" });
    await put("gone2", manifest);
    assert.equal((await registry.ask("DELETE", v2("manifests/gone1"))).status, 202);
    assert.equal((await registry.ask("GET", v2("manifests/gone1"))).status, 404);
    assert.equal((await registry.ask("GET", v2("manifests/gone2"))).status, 200);
    assert.equal((await registry.ask("DELETE", v2(`manifests/${digestOf(manifest)}`))).status, 202);
    assert.equal((await registry.ask("GET", v2("manifests/gone2"))).status, 404);
    requireError(await registry.ask("DELETE", v2("manifests/gone2")), 404, "MANIFEST_UNKNOWN");
  });

  test("end-10: removing a blob takes it from this repository only", async () => {
    const digest = await pushBlob(registry, repository, "shared");
    await pushBlob(registry, "other/holder", "shared");
    assert.equal((await registry.ask("DELETE", v2(`blobs/${digest}`))).status, 202);
    assert.equal((await registry.ask("GET", v2(`blobs/${digest}`))).status, 404);
    assert.equal((await registry.ask("GET", v2(`blobs/${digest}`, "other/holder"))).status, 200);
    requireError(await registry.ask("DELETE", v2(`blobs/${digest}`)), 404, "BLOB_UNKNOWN");
  });
});

describe("end-8: tags", () => {
  const name = `${repository}/tags`;
  before(async () => {
    for (const reference of ["b", "A", "a", "c1", "c2"]) await pushImage(registry, name, { reference });
  });
  const list = async (query: string) => {
    const reply = await registry.ask("GET", v2(`tags/list${query}`, name));
    const { tags } = JSON.parse(reply.body.toString()) as { readonly tags: readonly string[] };
    return { tags, next: /<([^>]+)>; rel="next"/.exec(String(reply.headers["link"] ?? ""))?.[1] };
  };

  test("all, in order, page by page", async () => {
    assert.deepEqual((await list("")).tags, ["A", "a", "b", "c1", "c2"]);
    const first = await list("?n=2");
    assert.deepEqual(first.tags, ["A", "a"]);
    const second = await registry.ask("GET", first.next ?? "");
    assert.match(second.body.toString(), /\["b","c1"\]/);
    assert.deepEqual(await list("?n=2&last=c1"), { tags: ["c2"], next: undefined });
    assert.deepEqual((await list("?last=b")).tags, ["c1", "c2"]);
    assert.deepEqual(await list("?n=0"), { tags: [], next: undefined });
    assert.equal((await registry.ask("GET", v2("tags/list?n=-1", name))).status, 400);
    requireError(await registry.ask("GET", v2("tags/list", "no/such")), 404, "NAME_UNKNOWN");
  });

  test("_catalog", async () => {
    const reply = await registry.ask("GET", "/v2/_catalog?n=1000");
    const { repositories } = JSON.parse(reply.body.toString()) as {
      readonly repositories: readonly string[];
    };
    assert.ok(repositories.includes(name));
    assert.deepEqual(repositories, repositories.toSorted());
  });
});

describe("end-12: referrers", () => {
  const name = `${repository}/subjects`;
  test("are listed, filtered, and found before their subject is there", async () => {
    const subject = describeBlob("a subject that comes later", types.manifest);
    const push = (artifactType: string, layer: string) =>
      pushImage(registry, name, { layer, more: { subject, artifactType, annotations: { k: artifactType } } });
    const [one, two] = [await push("type/one", "l1"), await push("type/two", "l2")];
    const again = await registry.ask("PUT", v2(`manifests/${digestOf(one)}`, name), {
      headers: { "Content-Type": types.manifest },
      body: one,
    });
    assert.equal(again.headers["oci-subject"], subject.digest);
    const listed = async (query = "") => {
      const reply = await registry.ask("GET", v2(`referrers/${subject.digest}${query}`, name));
      assert.equal(reply.headers["content-type"], types.index);
      return { reply, ...(JSON.parse(reply.body.toString()) as { manifests: readonly object[] }) };
    };
    const entry = (manifest: string, artifactType: string) => ({
      ...describeBlob(manifest, types.manifest),
      artifactType,
      annotations: { k: artifactType },
    });
    const all = [entry(one, "type/one"), entry(two, "type/two")];
    assert.deepEqual(
      (await listed()).manifests,
      all.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
    );
    const filtered = await listed("?artifactType=type/two");
    assert.deepEqual(filtered.manifests, [entry(two, "type/two")]);
    assert.equal(filtered.reply.headers["oci-filters-applied"], "artifactType");
    await registry.ask("DELETE", v2(`manifests/${digestOf(two)}`, name));
    assert.equal((await listed()).manifests.length, 1);
  });

  test("of what nobody refers to are none; of no digest an error", async () => {
    const reply = await registry.ask("GET", v2(`referrers/${unknown}`, name));
    assert.deepEqual(JSON.parse(reply.body.toString()), {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [],
    });
    requireError(await registry.ask("GET", v2("referrers/none", name)), 400, "DIGEST_INVALID");
  });
});
