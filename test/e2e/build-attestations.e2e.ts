import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openTestRegistry, type TestRegistry } from "../conformance/distribution/kit-registry.ts";
import {
  type Described,
  digestOf,
  getJson,
  type Index,
  type Statement,
  statementsOf,
} from "./kit-attestations.ts";
import { type BuildkitClient, openBuildkitClient, openFiles, pluginSuites } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { againstDockerd } from "./kit-target.ts";

const secret = "the-word-that-nobody-else-has";

describe("attestations", { skip: againstDockerd }, () => {
  let registry: TestRegistry;
  let engine: TestEngine;
  let context: Awaited<ReturnType<typeof openFiles>>;
  let dockerfile: string;
  const clients = new Map<string, BuildkitClient>();
  const resources = new AsyncDisposableStack();
  before(async () => {
    registry = resources.use(await openTestRegistry());
    engine = resources.use(await openEngine());
    const environment = () => ({ ...process.env, DOCKER_HOST: engine.host, TERM: "xterm" });
    for (const suite of pluginSuites) {
      clients.set(suite, resources.use(await openBuildkitClient({ environment }, suite)));
    }
    const base = `${host()}/base/busybox:1`;
    await using first = await openFiles({ Dockerfile: "FROM busybox\n" });
    await clientOf("sid").ok("buildx", "build", "--push", "-t", base, first.path);
    dockerfile = `FROM ${base}
ARG word
COPY file /copied
RUN --mount=type=secret,id=token test -s /run/secrets/token && echo $word > /word && ln /word /same
`;
    context = resources.use(await openFiles({ Dockerfile: dockerfile, file: "copied\n", token: secret }));
  });
  after(() => resources.disposeAsync());

  const host = () => new URL(registry.url).host;
  const clientOf = (suite: string) => {
    const client = clients.get(suite);
    assert.ok(client);
    return client;
  };
  const given = () => ["--build-arg", "word=said", "--secret", `id=token,src=${join(context.path, "token")}`];
  for (const suite of pluginSuites) {
    test(`provenance of a push by buildx of Debian ${suite}, which the same source makes the same`, async () => {
      const client = clientOf(suite);
      const name = (tag: string) => `${host()}/prov/${suite}:${tag}`;
      const build = (tag: string, ...args: readonly string[]) =>
        client.ok("buildx", "build", "--push", "-t", name(tag), ...given(), ...args, context.path);
      await build("plain");
      await build("max", "--provenance", "mode=max,builder-id=https://example.org/ci,reproducible=true");
      const { index, images } = await statementsOf(registry, `prov/${suite}`, "max");
      assert.equal(index.manifests.length, 2);
      const [{ image, statements }] = images as [(typeof images)[number]];
      assert.equal(
        image.digest,
        await digestOf(registry, `prov/${suite}`, "plain"),
        "the image is the same one",
      );
      const [statement] = statements as [Statement];
      assert.equal(statement.predicateType, "https://slsa.dev/provenance/v0.2");
      const platform = `platform=${encodeURIComponent(`linux/${image.platform?.architecture}`)}`;
      assert.deepEqual(statement.subject, [
        {
          name: `pkg:docker/${name("max").replace(":max", "@max")}?${platform}`,
          digest: { sha256: image.digest.slice(7) },
        },
      ]);
      const { predicate } = statement;
      assert.equal(predicate.builder.id, "https://example.org/ci");
      assert.equal(predicate.metadata.reproducible, true);
      const base = await digestOf(registry, "base/busybox", "1");
      assert.deepEqual(predicate.materials, [
        { uri: `pkg:docker/${host()}/base/busybox@1?${platform}`, digest: { sha256: base?.slice(7) } },
      ]);
      const { frontend, args, secrets, locals } = predicate.invocation.parameters;
      assert.equal(frontend, "dockerfile.v0");
      assert.equal(args?.["build-arg:word"], "said");
      assert.deepEqual(secrets, [{ id: "token", optional: true }]);
      assert.deepEqual(locals, [{ name: "context" }, { name: "dockerfile" }]);
      assert.equal(predicate.metadata.completeness.parameters, true);
      const { source } = predicate.metadata["https://mobyproject.org/buildkit@v1#metadata"];
      assert.equal(Buffer.from(source?.infos[0]?.data ?? "", "base64").toString(), dockerfile);
      const ops = predicate.buildConfig?.llbDefinition.map(({ op }) => Object.keys(op.Op ?? {})[0]);
      assert.deepEqual(ops, ["source", "source", "file", "exec", undefined]);
      assert.doesNotMatch(JSON.stringify(statement), new RegExp(secret));

      const shown = await client.ok(
        "buildx",
        "imagetools",
        "inspect",
        name("max"),
        "--format",
        "{{json .Provenance}}",
      );
      assert.match(shown, /"buildType": ?"https:\/\/mobyproject.org\/buildkit@v1"/);

      const before = await digestOf(registry, `prov/${suite}`, "max");
      await build(
        "max",
        "--no-cache",
        "--provenance",
        "mode=max,builder-id=https://example.org/ci,reproducible=true",
      );
      assert.equal(await digestOf(registry, `prov/${suite}`, "max"), before);
      // What is a digest's is the image here, too.
      await client.ok("image", "inspect", `${host()}/prov/${suite}@${before}`);

      await build("min", "--provenance", "mode=min");
      const [ofMin] = (await statementsOf(registry, `prov/${suite}`, "min")).images;
      const [min] = (ofMin?.statements ?? []) as [Statement];
      assert.equal(min.predicate.buildConfig, undefined);
      assert.equal(min.predicate.invocation.parameters.args?.["build-arg:word"], undefined);
      assert.equal(min.predicate.metadata.completeness.parameters, false);
    });
  }

  test("hawser build: SLSA 1, in a registry, an archive, a folder, a tar archive", async () => {
    await using out = await openTempDir();
    const place = (file: string) => join(out.path, file);
    const build = async (...args: readonly string[]) => {
      const result = await engine.hawser(["build", ...given(), ...args, context.path]);
      assert.equal(result.exitCode, 0, result.stderr);
    };
    await build("--provenance=version=v1", "--push", "-t", `${host()}/prov/own:1`);
    const { images } = await statementsOf(registry, "prov/own", "1");
    const [statement] = (images[0]?.statements ?? []) as unknown as [
      {
        readonly predicateType: string;
        readonly predicate: {
          readonly buildDefinition: { readonly resolvedDependencies: readonly { readonly uri: string }[] };
        };
      },
    ];
    assert.equal(statement.predicateType, "https://slsa.dev/provenance/v1");
    assert.match(statement.predicate.buildDefinition.resolvedDependencies[0]?.uri ?? "", /busybox@1/);

    const attest = ["--attest", "type=provenance,mode=min"];
    await build(...attest, "-o", `type=oci,dest=${place("oci.tar")},annotation-index.word=kept`);
    const files = new Map<string, Buffer>();
    for await (const { entry, data } of readTar(createReadStream(place("oci.tar")))) {
      files.set(entry.path.toString(), Buffer.concat(await Array.fromAsync(data)));
    }
    const blob = <T>(digest = "") => JSON.parse(String(files.get(`blobs/sha256/${digest.slice(7)}`))) as T;
    const top = JSON.parse(String(files.get("index.json"))) as Index;
    const index = blob<Index>(top.manifests[0]?.digest);
    assert.deepEqual(index.annotations, { word: "kept" });
    assert.equal(index.manifests.length, 2);
    for (const [path, bytes] of files) {
      const hex = /^blobs\/sha256\/(.+)$/.exec(path)?.[1];
      if (hex) assert.equal(createHash("sha256").update(bytes).digest("hex"), hex);
    }

    await build(...attest, "-o", place("folder"));
    const about = JSON.parse(await readFile(place("folder/provenance.json"), "utf8")) as Statement;
    const word = createHash("sha256").update("said\n").digest("hex");
    const byName = new Map(about.subject.map(({ name, digest }) => [name, digest["sha256"]]));
    assert.equal(byName.get("word"), word);
    assert.equal(byName.get("same"), word);

    await build(...attest, "-o", `type=tar,dest=${place("files.tar")},attestation-prefix=own-`);
    const paths: string[] = [];
    for await (const { entry } of readTar(createReadStream(place("files.tar"))))
      paths.push(String(entry.path));
    assert.ok(paths.includes("own-provenance.json"));
    assert.ok(paths.includes("word"));
  });

  test("an image that is kept here has them beside it, for whoever gets it by its name", async () => {
    await using out = await openTempDir();
    const client = clientOf("sid");
    const name = (tag: string) => `${host()}/kept/x:${tag}`;
    const build = (...args: readonly string[]) =>
      client.ok("buildx", "build", ...args, ...given(), context.path);
    await build("--push", "-t", name("plain"));
    await build("--provenance=mode=min", "-t", name("1"));
    await engine.kill();
    await engine.start();
    await client.ok("tag", name("1"), name("2"));
    await client.ok("push", name("2"));
    const { index, images } = await statementsOf(registry, "kept/x", "2");
    assert.equal(index.manifests.length, 2);
    assert.equal(
      images[0]?.image.digest,
      await digestOf(registry, "kept/x", "plain"),
      "the image is the same one",
    );
    assert.equal(images[0]?.statements[0]?.predicateType, "https://slsa.dev/provenance/v0.2");
    const format = ["--format", "{{json .Provenance}}"];
    const shown = await client.ok("buildx", "imagetools", "inspect", name("2"), ...format);
    assert.match(shown, /"buildType": ?"https:\/\/mobyproject.org\/buildkit@v1"/);

    const archive = join(out.path, "saved.tar");
    await client.ok("save", "-o", archive, name("1"), name("plain"));
    const files = new Map<string, Buffer>();
    for await (const { entry, data } of readTar(createReadStream(archive))) {
      files.set(entry.path.toString(), Buffer.concat(await Array.fromAsync(data)));
    }
    const json = <T>(path: string) => JSON.parse(String(files.get(path))) as T;
    const tops = json<Index>("index.json").manifests;
    assert.deepEqual(
      tops.map(({ digest, annotations }) => [annotations?.["io.containerd.image.name"], digest]),
      [
        [name("1"), await digestOf(registry, "kept/x", "2")],
        [name("plain"), await digestOf(registry, "kept/x", "plain")],
      ],
    );
    const blob = (digest: string) => `blobs/sha256/${digest.slice(7)}`;
    for (const { digest } of json<Index>(blob(tops[0]?.digest ?? "")).manifests) {
      const { config, layers } = json<{ config: Described; layers: readonly Described[] }>(blob(digest));
      for (const one of [config, ...layers]) {
        const bytes = files.get(blob(one.digest)) ?? "";
        assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, one.digest);
      }
    }
    await client.ok("rmi", name("1"), name("2"), name("plain"));
    assert.match(await client.ok("load", "-i", archive), /kept\/x:1/);

    // A name is about what was built last.
    await build("--provenance=mode=min", "-t", name("1"));
    await build("-t", name("1"));
    await client.ok("push", name("1"));
    assert.equal(await digestOf(registry, "kept/x", "1"), await digestOf(registry, "kept/x", "plain"));
  });

  test("several platforms: each has its own, wherever they go", async () => {
    await using out = await openTempDir();
    await using files = await openFiles({ Dockerfile: "FROM scratch\nCOPY file /\n", file: "for all\n" });
    const client = clientOf("sid");
    const flags = ["--platform", "linux/amd64,linux/arm64", "--provenance", "mode=min"];
    const form = "compression=zstd,force-compression=true,annotation-index.all=index";
    const only = "annotation[linux/arm64].only=arm";
    const name = `${host()}/several/x:1`;
    await client.ok(
      "buildx",
      "build",
      ...flags,
      "-o",
      `type=image,name=${name},push=true,${form},${only}`,
      files.path,
    );
    const { index, images } = await statementsOf(registry, "several/x", "1");
    assert.deepEqual(index.annotations, { all: "index" });
    assert.equal(index.manifests.length, 4);
    for (const { image, statements } of images) {
      const platform = encodeURIComponent(`linux/${image.platform?.architecture}`);
      assert.match(statements[0]?.subject[0]?.name ?? "", new RegExp(`platform=${platform}$`));
      const manifest = await getJson<{ annotations?: object; layers: Described[] }>(
        registry,
        "several/x",
        image.digest,
      );
      assert.match(manifest.layers[0]?.mediaType ?? "", /zstd$/);
      const isArm = image.platform?.architecture === "arm64";
      assert.deepEqual(manifest.annotations, isArm ? { only: "arm" } : undefined);
    }
    const place = join(out.path, "folder");
    await client.ok("buildx", "build", ...flags, "-o", place, files.path);
    for (const folder of ["linux_amd64", "linux_arm64"]) {
      assert.deepEqual((await readdir(join(place, folder))).toSorted(), ["file", "provenance.json"]);
    }
    const merge = `type=local,dest=${join(out.path, "one")},platform-split=false`;
    const { exitCode, stderr } = await client.run(["buildx", "build", ...flags, "-o", merge, files.path]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /cannot overwrite file from linux\/amd64 with linux\/arm64/);
    await writeFile(
      join(files.path, "Dockerfile"),
      "FROM scratch\nARG TARGETARCH\nCOPY file /of-$TARGETARCH\n",
    );
    await client.ok("buildx", "build", ...flags, "-o", merge, files.path);
    assert.deepEqual((await readdir(join(out.path, "one"))).toSorted(), [
      "of-amd64",
      "of-arm64",
      "provenance.linux_amd64.json",
      "provenance.linux_arm64.json",
    ]);
  });

  test("what cannot have any is refused, and what buildx asks for by itself is nobody's wish", async () => {
    const client = clientOf("sid");
    const refused = async (args: readonly string[], words: RegExp) => {
      const { exitCode, stderr } = await client.run(["buildx", "build", ...args, ...given(), context.path]);
      assert.equal(exitCode, 1);
      assert.match(stderr, words);
      assert.doesNotMatch(stderr, /RUN --mount.*\n.*DONE/);
    };
    await refused(["--provenance=true"], /Cannot keep attestations with an image that has no name/);
    await refused(["--provenance=true", "-o", "type=docker,dest=-"], /exporting manifest lists/);
    await refused(["--attest", "type=provenance,mode=odd", "-o", "type=oci,dest=-"], /invalid mode "odd"/);
    await refused(
      ["--attest", "type=provenance,complete-materials=true", "-o", "type=oci,dest=-"],
      /provenance materials are incomplete/,
    );
    const name = `${host()}/prov/default:1`;
    await client.ok("buildx", "build", "--push", "-t", name, ...given(), context.path);
    const { mediaType } = await getJson<Index>(registry, "prov/default", "1");
    assert.equal(mediaType, "application/vnd.docker.distribution.manifest.v2+json");
  });

  test("SBOM: a generator looks at the result's files, and its statements go with the result", async () => {
    await using out = await openTempDir();
    const scan = (rest: string) => `out=$BUILDKIT_SCAN_DESTINATION
names=$(ls $BUILDKIT_SCAN_SOURCE | sed 's/.*/{"name":"&"}/' | tr '\\n' ',' | sed 's/,$//')
printf '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document",' > $out/sbom.spdx.json
printf '"predicate":{"spdxVersion":"SPDX-2.3","name":"%s","packages":[%s]}}' "$BUILDKIT_SCAN_LEVEL" "$names" >> $out/sbom.spdx.json
${rest}
`;
    await using generator = await openFiles({
      Dockerfile: 'FROM busybox\nCOPY scan /scan\nENTRYPOINT ["/bin/sh", "/scan"]\n',
      scan: scan("! touch $BUILDKIT_SCAN_SOURCE/changed 2>/dev/null"),
    });
    await clientOf("sid").ok("buildx", "build", "-t", "scanner:kit", generator.path);
    const sbom = ["--sbom", "generator=scanner:kit,LEVEL=deep", "--provenance", "mode=min"];
    for (const suite of pluginSuites) {
      const client = clientOf(suite);
      const name = `${host()}/sbom/${suite}:1`;
      const shown = await client.ok(
        "buildx",
        "build",
        "--push",
        "-t",
        name,
        ...sbom,
        ...given(),
        context.path,
      );
      assert.match(shown, /generating sbom using scanner:kit/);
      const [image] = (await statementsOf(registry, `sbom/${suite}`, "1")).images;
      assert.deepEqual(
        image?.statements.map(({ predicateType }) => predicateType),
        ["https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"],
      );
      const [{ subject, predicate }] = (image?.statements ?? []) as unknown as [
        Pick<Statement, "subject"> & {
          readonly predicate: {
            readonly name: string;
            readonly packages: readonly { readonly name: string }[];
          };
        },
      ];
      assert.equal(subject[0]?.digest["sha256"], image?.image.digest.slice(7));
      assert.equal(predicate.name, "deep");
      const names = predicate.packages.map((one) => one.name);
      assert.ok(names.includes("copied") && names.includes("word") && !names.includes("changed"));
      const told = await client.ok("buildx", "imagetools", "inspect", name, "--format", "{{json .SBOM}}");
      assert.match(told, /SPDX-2.3/);
    }
    const own = (...args: readonly string[]) => engine.hawser(["build", ...args, ...given(), context.path]);
    const folder = join(out.path, "folder");
    const done = await own("--sbom", "generator=scanner:kit", "-o", folder);
    assert.equal(done.exitCode, 0, done.stderr);
    assert.match(await readFile(join(folder, "sbom.spdx.json"), "utf8"), /"name": "copied"/);

    const absent = await own("--sbom", `generator=${host()}/no/such:1`, "-o", folder);
    assert.equal(absent.exitCode, 1);
    assert.match(absent.stderr, /Cannot make an SBOM: its generator .*no\/such:1 is not to be had/);
    for (const [rest, words] of [
      ["ln -s /etc/passwd $out/link", /"link" is not a regular file/],
      ["echo {} > $out/other", /"other" has the predicate type undefined/],
      ["echo odd > $out/sbom.spdx.json", /"sbom.spdx.json" is no JSON/],
      ["rm $out/sbom.spdx.json", /has written nothing/],
    ] as const) {
      await writeFile(join(generator.path, "scan"), scan(rest));
      await clientOf("sid").ok("buildx", "build", "-t", "scanner:kit", generator.path);
      const broken = await own("--sbom", "generator=scanner:kit", "-o", join(out.path, "broken"));
      assert.equal(broken.exitCode, 1, rest);
      assert.match(broken.stderr, words);
    }
  });

  test("SBOM: stages and the context are looked at, too, where the Dockerfile wants it", async () => {
    await using out = await openTempDir();
    const scan = `for folder in $BUILDKIT_SCAN_SOURCE \${BUILDKIT_SCAN_SOURCE_EXTRAS:+$BUILDKIT_SCAN_SOURCE_EXTRAS/*}; do
  printf '{"predicateType":"https://spdx.dev/Document","predicate":{"names":"%s"}}' "$(ls $folder | tr '\\n' ' ')" \
    > $BUILDKIT_SCAN_DESTINATION/$(basename $folder).spdx.json
done
`;
    await using generator = await openFiles({
      Dockerfile: 'FROM busybox\nCOPY scan /scan\nENTRYPOINT ["/bin/sh", "/scan"]\n',
      scan,
    });
    await using source = await openFiles({
      Dockerfile: `ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM busybox AS tools
RUN touch /tool
FROM busybox AS build
ARG BUILDKIT_SBOM_SCAN_STAGE=other,build
RUN touch /built && test -z "$BUILDKIT_SBOM_SCAN_STAGE"
FROM scratch
COPY --from=tools /tool /
COPY --from=build /built /
`,
      asset: "a",
    });
    await clientOf("sid").ok("buildx", "build", "-t", "scanner:extras", generator.path);
    const sbom = ["--sbom", "generator=scanner:extras"];
    const namesIn = async (folder: string) => {
      const files = (await readdir(folder)).filter((name) => name.endsWith(".spdx.json"));
      const told = files.toSorted().map(async (name) => {
        const { predicate } = JSON.parse(await readFile(join(folder, name), "utf8")) as {
          readonly predicate: { readonly names: string };
        };
        return [name, predicate.names.trim().split(" ")] as const;
      });
      return new Map(await Promise.all(told));
    };
    const build = async (folder: string, ...args: readonly string[]) => {
      const done = await engine.hawser(["build", ...sbom, "-o", folder, ...args, source.path]);
      assert.equal(done.exitCode, 0, done.stderr);
    };
    const folder = join(out.path, "buildx");
    await clientOf("sid").ok("buildx", "build", ...sbom, "-o", folder, source.path);
    await build(join(out.path, "hawser"));
    for (const client of ["buildx", "hawser"]) {
      const found = await namesIn(join(out.path, client));
      assert.deepEqual(
        [...found.keys()],
        ["sbom-build.spdx.json", "sbom-context.spdx.json", "sbom.spdx.json"],
      );
      assert.ok(found.get("sbom-build.spdx.json")?.includes("built"));
      assert.deepEqual(found.get("sbom-context.spdx.json"), ["Dockerfile", "asset"]);
      assert.deepEqual(found.get("sbom.spdx.json"), ["built", "tool"]);
    }
    const less = join(out.path, "less");
    await build(
      less,
      "--build-arg",
      "BUILDKIT_SBOM_SCAN_CONTEXT=0",
      "--build-arg",
      "BUILDKIT_SBOM_SCAN_STAGE=0",
    );
    assert.deepEqual([...(await namesIn(less)).keys()], ["sbom.spdx.json"]);
  });
});
