import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mediaTypes, parseDigest, parseReference } from "@hawser/oci";
import { type FakeRegistry, openFakeRegistry, sha256 } from "@hawser/registry/testing";
import { type RegistryAccess, RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const retry = { retries: 3, firstDelayMs: 1, maxDelayMs: 100, random: () => 0.5 };
const settings = { mirrors: [], insecure: [], hostFolders: [] };

function openClient(options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return new RegistryClient({
    settings,
    environment: {},
    userAgent: "test",
    retry,
    idleMs: 20_000,
    ...options,
  });
}

async function repositoryOf(client: RegistryClient, registry: FakeRegistry, access: RegistryAccess = {}) {
  return await client.repository(parseReference(`${registry.address}/team/app`), access);
}

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) & 0xff));
const described = { digest: parseDigest(sha256(content)), sizeBytes: content.length };

async function read(blob: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(blob));
}

/** Which requests of a blob are to go wrong, in order; the others go on as ever. */
function failingBlobs(
  ...faults: readonly ("cut" | "reset" | "429" | "503" | "plain" | "longer" | "other range")[]
) {
  let index = 0;
  return (registry: FakeRegistry): void => {
    registry.intercept = (request, response): boolean => {
      if (request.method !== "GET" || !request.url?.includes("/blobs/sha256:")) return false;
      const fault = faults[index++];
      const bytes = registry.blobs.get(described.digest) ?? Buffer.alloc(0);
      switch (fault) {
        case undefined:
          break;
        case "cut":
        case "reset": {
          const first = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
          const head = {
            "content-length": bytes.length - first,
            ...(first > 0 && { "content-range": `bytes ${first}-${bytes.length - 1}/${bytes.length}` }),
          };
          response.writeHead(first > 0 ? 206 : 200, head);
          response.write(bytes.subarray(first, first + 100_000), () => {
            if (fault === "cut") response.socket?.end();
            else response.socket?.resetAndDestroy();
          });
          return true;
        }
        case "429":
        case "503":
          response.writeHead(Number(fault), { "retry-after": "0" });
          response.end();
          return true;
        case "plain":
          response.writeHead(200, { "content-length": bytes.length });
          response.end(bytes);
          return true;
        case "longer":
          response.writeHead(200, { "transfer-encoding": "chunked" });
          response.end(Buffer.concat([bytes, bytes]));
          return true;
        case "other range":
          response.writeHead(206, { "content-range": `bytes 5-${bytes.length - 1}/${bytes.length}` });
          response.end(bytes.subarray(5));
          return true;
      }
      return false;
    };
  };
}

describe("a blob is fetched whole", () => {
  const ways = [
    [["cut"], "bytes=100000-"],
    [["reset", "cut"], "bytes=200000-"],
    [["429", "503"], undefined],
    [["cut", "plain"], "bytes=100000-"],
  ] as const;
  for (const [faults, range] of ways) {
    test(`although it was ${faults.join(", then ")} at first`, async () => {
      await using registry = await openFakeRegistry();
      registry.addBlob(content);
      failingBlobs(...faults)(registry);
      using client = openClient();
      const got = await read((await repositoryOf(client, registry)).fetchBlob(described));
      assert.ok(got.equals(content));
      const ranges = registry.seen.map(({ headers }) => headers.range);
      assert.equal(ranges.filter((text) => text === range).length > 0, true, ranges.join());
    });
  }

  test("or not at all: tries that gain nothing are bounded", async () => {
    await using registry = await openFakeRegistry();
    registry.addBlob(content);
    failingBlobs("503", "503", "503", "503", "503", "503", "503", "503", "503")(registry);
    using client = openClient();
    await assert.rejects(read((await repositoryOf(client, registry)).fetchBlob(described)), {
      kind: "unavailable",
    });
    assert.equal(registry.count(/^GET .*blobs/), 4);
  });

  for (const [fault, size] of [
    ["longer", described.sizeBytes],
    [undefined, described.sizeBytes + 1],
    [undefined, described.sizeBytes - 1],
  ] as const) {
    test(`of ${size - described.sizeBytes} more bytes than there are, sent ${fault ?? "as it is"}, is refused`, async () => {
      await using registry = await openFakeRegistry();
      registry.addBlob(content);
      if (fault !== undefined) failingBlobs(fault)(registry);
      using client = openClient();
      const repository = await repositoryOf(client, registry);
      await assert.rejects(read(repository.fetchBlob({ ...described, sizeBytes: size })), {
        kind: "data-loss",
      });
      assert.equal(registry.count(/^GET .*blobs/), 1);
    });
  }

  test("from another place than was asked for is refused", async () => {
    await using registry = await openFakeRegistry();
    registry.addBlob(content);
    failingBlobs("cut", "other range")(registry);
    using client = openClient();
    await assert.rejects(read((await repositoryOf(client, registry)).fetchBlob(described)), {
      code: "ANSWER_INVALID",
    });
  });

  test("or given up at once, and the connection with it", async () => {
    await using registry = await openFakeRegistry();
    const gone = Promise.withResolvers<void>();
    registry.intercept = (request, response) => {
      if (!request.url?.includes("/blobs/")) return false;
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000));
      response.on("close", gone.resolve);
      return true;
    };
    using client = openClient();
    const stop = new AbortController();
    const repository = await repositoryOf(client, registry);
    await assert.rejects(async () => {
      for await (const _ of repository.fetchBlob(described, { signal: stop.signal }))
        stop.abort(new Error("enough"));
    }, /enough/);
    await gone.promise;
  });

  test("when nothing comes any more, another try is made", async () => {
    await using registry = await openFakeRegistry();
    registry.addBlob(content);
    let calls = 0;
    registry.intercept = (request, response) => {
      if (!request.url?.includes("/blobs/") || calls++ > 0) return false;
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000));
      return true;
    };
    using client = openClient({ idleMs: 200 });
    assert.ok((await read((await repositoryOf(client, registry)).fetchBlob(described))).equals(content));
    assert.equal(registry.seen.at(-1)?.headers.range, "bytes=1000-");
  });

  test("of a manifest stalls or breaks off: it is asked for again, and in the end told why", async () => {
    await using registry = await openFakeRegistry();
    const digest = registry.addManifest("team/app", "v1", {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
    });
    for (const kind of ["stalls", "breaks off"]) {
      let failures = 1;
      registry.intercept = (_request, response) => {
        if (failures-- <= 0) return false;
        response.writeHead(200, { "content-length": 100 });
        response.write("{", () => kind === "breaks off" && response.destroy());
        return true;
      };
      using client = openClient({ idleMs: 200 });
      const repository = await repositoryOf(client, registry);
      assert.equal((await repository.getManifest("v1")).digest, digest, kind);
      failures = 100;
      await assert.rejects(repository.getManifest("v1"), {
        code: kind === "stalls" ? "STALLED" : "UNREACHABLE",
      });
    }
  });
});

describe("a login", () => {
  const login = { username: "ann", password: "pass:word" };
  for (const kind of ["basic", "bearer"] as const) {
    test(`by ${kind} lets one in, and nobody else`, async () => {
      await using registry = await openFakeRegistry({ login: { kind, ...login } });
      registry.addBlob(content);
      using client = openClient();
      const right = await repositoryOf(client, registry, { credentials: login });
      assert.ok((await read(right.fetchBlob(described))).equals(content));
      for (const credentials of [undefined, { ...login, password: "x" }]) {
        const wrong = await repositoryOf(client, registry, credentials && { credentials });
        await assert.rejects(read(wrong.fetchBlob(described)), { kind: "unauthenticated" });
      }
      assert.deepEqual(await client.login(registry.address, login), {});
      await assert.rejects(client.login(registry.address, { ...login, password: "x" }), {
        kind: "unauthenticated",
      });
    });
  }

  test("may end in a token that stands for the person", async () => {
    await using registry = await openFakeRegistry({
      login: { kind: "bearer", ...login },
      token: { identity: "id-1" },
    });
    registry.addBlob(content);
    using client = openClient();
    assert.deepEqual(await client.login(registry.address, login), { identityToken: "id-1" });
    const repository = await repositoryOf(client, registry, { credentials: { identityToken: "id-1" } });
    assert.ok((await read(repository.fetchBlob(described))).equals(content));
  });

  test("whose token ends in the middle goes on with another", async () => {
    await using registry = await openFakeRegistry({
      login: { kind: "bearer", ...login },
      token: { uses: 1 },
    });
    registry.addBlob(content);
    failingBlobs("cut", "cut")(registry);
    using client = openClient();
    const repository = await repositoryOf(client, registry, { credentials: login });
    for (let time = 0; time < 3; time++)
      assert.ok((await read(repository.fetchBlob(described))).equals(content));
    assert.ok(registry.count(/^GET \/token/) >= 3);
  });

  test("of several requests at once asks for one token", async () => {
    await using registry = await openFakeRegistry({ login: { kind: "bearer", ...login } });
    registry.addBlob(content);
    using client = openClient();
    const repository = await repositoryOf(client, registry, { credentials: login });
    await Promise.all(Array.from({ length: 8 }, () => read(repository.fetchBlob(described))));
    assert.equal(registry.count(/^GET \/token/), 1);
    assert.match(
      registry.seen.find(({ path }) => path.startsWith("/token"))?.path ?? "",
      /scope=repository%3Ateam%2Fapp%3Apull&/,
    );
  });
});

test("a redirect takes no secret to another host", async () => {
  await using storage = await openFakeRegistry();
  storage.intercept = (_request, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.end(content);
    return true;
  };
  for (const kind of ["basic", "bearer"] as const) {
    await using registry = await openFakeRegistry({ login: { kind, username: "ann", password: "x" } });
    registry.intercept = (request, response) => {
      if (!request.url?.includes("/blobs/") || request.headers.authorization === undefined) return false;
      response.writeHead(307, { location: `http://${storage.address}/bucket/blob` });
      response.end();
      return true;
    };
    using client = openClient();
    const access = { credentials: { username: "ann", password: "x" }, headers: { "x-meta-secret": "y" } };
    const repository = await repositoryOf(client, registry, access);
    assert.ok((await read(repository.fetchBlob(described))).equals(content));
    assert.equal(registry.seen.at(-1)?.headers["x-meta-secret"], "y");
    const { headers } = storage.seen.at(-1) ?? assert.fail();
    assert.equal(headers.authorization, undefined);
    assert.equal(headers["x-meta-secret"], undefined);
  }
});

test("a token service that has moved is followed, with the password only as long as it is the same", async () => {
  await using elsewhere = await openFakeRegistry();
  elsewhere.intercept = (_request, response) => {
    response.end('{"token":"token-1"}');
    return true;
  };
  for (const isElsewhere of [false, true]) {
    const login = { username: "ann", password: "x" };
    await using registry = await openFakeRegistry({ login: { kind: "bearer", ...login } });
    registry.addBlob(content);
    registry.intercept = (request, response) => {
      if (request.url?.startsWith("/token?") !== true || request.url.endsWith("&moved")) return false;
      const location = isElsewhere ? `http://${elsewhere.address}/token` : `${request.url}&moved`;
      response.writeHead(308, { location });
      response.end();
      return true;
    };
    using client = openClient();
    const repository = await repositoryOf(client, registry, { credentials: login });
    const got = read(repository.fetchBlob(described));
    // The other one's token is none of this registry's.
    if (isElsewhere) await assert.rejects(got, { kind: "unauthenticated" });
    else assert.ok((await got).equals(content));
  }
  assert.equal(elsewhere.seen.length > 0, true);
  for (const { headers } of elsewhere.seen) assert.equal(headers.authorization, undefined);
});

test("redirects end", async () => {
  await using registry = await openFakeRegistry();
  for (const [location, code] of [
    [`/v2/again`, "REDIRECTS_TOO_MANY"],
    ["file:///etc/passwd", "REDIRECT_INVALID"],
  ] as const) {
    registry.intercept = (_request, response) => {
      response.writeHead(302, { location });
      response.end();
      return true;
    };
    using client = openClient();
    await assert.rejects(read((await repositoryOf(client, registry)).fetchBlob(described)), { code });
  }
});

describe("a manifest", () => {
  const value = { schemaVersion: 2, mediaType: mediaTypes.ociManifest };

  test("keeps its bytes and says its digest", async () => {
    await using registry = await openFakeRegistry();
    const digest = registry.addManifest("team/app", "v1", value);
    using client = openClient();
    const repository = await repositoryOf(client, registry);
    for (const reference of ["v1", digest]) {
      const manifest = await repository.getManifest(reference);
      assert.deepEqual(
        { ...manifest, bytes: manifest.bytes.toString() },
        {
          digest,
          mediaType: mediaTypes.ociManifest,
          bytes: JSON.stringify(value),
        },
      );
    }
  });

  test("that is another than its digest says is refused", async () => {
    await using registry = await openFakeRegistry();
    const other = Buffer.from("{}");
    registry.manifests.set(`team/app@${sha256(content)}`, { mediaType: value.mediaType, bytes: other });
    using client = openClient();
    await assert.rejects((await repositoryOf(client, registry)).getManifest(sha256(content)), {
      kind: "data-loss",
    });
  });

  test("that is not there is told in the registry's words", async () => {
    await using registry = await openFakeRegistry();
    using client = openClient();
    await assert.rejects((await repositoryOf(client, registry)).getManifest("v1"), {
      code: "MANIFEST_UNKNOWN",
      message: "manifest unknown: manifest unknown",
    });
  });

  test("of any size is not held in memory", async () => {
    await using registry = await openFakeRegistry();
    registry.manifests.set("team/app:v1", { mediaType: value.mediaType, bytes: Buffer.alloc(8 << 20) });
    using client = openClient();
    await assert.rejects((await repositoryOf(client, registry)).getManifest("v1"), {
      code: "ANSWER_TOO_LARGE",
    });
  });
});

describe("an upload", () => {
  const blob = {
    ...described,
    async *open(start: number, end: number) {
      yield content.subarray(start, end);
    },
  };

  test("is one request, and none when the blob is there", async () => {
    await using registry = await openFakeRegistry();
    using client = openClient();
    const repository = await repositoryOf(client, registry);
    assert.deepEqual(await repository.uploadBlob(blob), { kind: "uploaded" });
    assert.ok(registry.blobs.get(blob.digest)?.equals(content));
    assert.equal(registry.seen.map(({ method }) => method).join(" "), "HEAD POST PUT");
    assert.deepEqual(await repository.uploadBlob(blob), { kind: "exists" });
    assert.equal(registry.seen.length, 4);
  });

  test("takes a blob over from another repository", async () => {
    await using registry = await openFakeRegistry();
    registry.addBlob(content);
    registry.intercept = (request, response) => {
      if (request.method !== "HEAD") return false;
      response.writeHead(404);
      response.end();
      return true;
    };
    using client = openClient();
    const repository = await repositoryOf(client, registry);
    assert.deepEqual(await repository.uploadBlob(blob, { mountFrom: "team/base" }), {
      kind: "mounted",
      from: "team/base",
    });
    assert.match(registry.seen.at(-1)?.path ?? "", /mount=sha256:[0-9a-f]+&from=team%2Fbase$/);
  });

  test("begins anew when the registry has forgotten it", async () => {
    await using registry = await openFakeRegistry();
    let puts = 0;
    registry.intercept = (request, response) => {
      if (request.method !== "PUT" || puts++ > 0) return false;
      request.resume();
      response.writeHead(404);
      response.end('{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown to registry"}]}');
      return true;
    };
    using client = openClient();
    const outcome = await (await repositoryOf(client, registry)).uploadBlob(blob);
    assert.deepEqual(outcome, { kind: "uploaded" });
    assert.equal(registry.count(/^POST/), 2);
  });

  test("is given up at once when the registry has no space", async () => {
    await using registry = await openFakeRegistry();
    registry.intercept = (request, response) => {
      if (request.method !== "PUT") return false;
      request.resume();
      response.writeHead(507);
      response.end('{"errors":[{"code":"UNAVAILABLE","message":"the registry has no space left"}]}');
      return true;
    };
    using client = openClient();
    const repository = await repositoryOf(client, registry);
    await assert.rejects(repository.uploadBlob(blob), { code: "REGISTRY_FULL", message: /no space left/ });
    assert.equal(registry.count(/^PUT/), 1);
  });

  for (const fault of ["a proxy refuses it", "the connection breaks"] as const) {
    test(`goes on in pieces when ${fault}`, async () => {
      const large = Buffer.alloc(40 << 20, "x");
      const source = {
        digest: parseDigest(sha256(large)),
        sizeBytes: large.length,
        async *open(start: number, end: number) {
          for (let at = start; at < end; at += 1 << 20)
            yield large.subarray(at, Math.min(end, at + (1 << 20)));
        },
      };
      await using registry = await openFakeRegistry();
      let puts = 0;
      registry.intercept = (request, response) => {
        if (request.method !== "PUT" || puts++ > 0) return false;
        if (fault === "a proxy refuses it") {
          response.writeHead(413, { connection: "close" });
          response.end("too large");
        } else {
          request.socket.destroy();
        }
        return true;
      };
      using client = openClient();
      const outcome = await (await repositoryOf(client, registry)).uploadBlob(source);
      assert.deepEqual(outcome, { kind: "uploaded" });
      assert.ok(registry.blobs.get(source.digest)?.equals(large));
      assert.ok(registry.count(/^PATCH/) >= 2);
    });
  }
});

test("what cannot be reached is said in words that people search for", async () => {
  const registry = await openFakeRegistry();
  await registry[Symbol.asyncDispose]();
  using client = openClient();
  await assert.rejects((await repositoryOf(client, registry)).getManifest("v1"), {
    kind: "unavailable",
    message: new RegExp(
      `^Get "https://${registry.address}/v2/team/app/manifests/v1": dial tcp ${registry.address}: connect: connection refused$`,
    ),
  });
});
