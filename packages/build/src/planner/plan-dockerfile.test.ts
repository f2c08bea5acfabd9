import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "@hawser/base";
import type { ImageConfig } from "@hawser/oci";
import { dockerfileFaults, rangeOf, rangesOf } from "../dockerfile/faults.ts";
import type { Vertex } from "../plan/vertex.ts";
import type { PlanRequest, ResolveImage } from "./build-request.ts";
import { planDockerfile } from "./plan-dockerfile.ts";
import { findingsOf } from "./plan-findings.ts";

const platform = { os: "linux", architecture: "amd64" };

function image(execution: Partial<ImageConfig["execution"]> = {}): ImageConfig {
  return {
    ...platform,
    execution: {
      user: "",
      exposedPorts: [],
      env: ["PATH=/bin"],
      volumes: [],
      workingDir: "",
      labels: {},
      stopSignal: "",
      ...execution,
    },
    diffIds: [],
    history: [],
  };
}

async function planWith(resolveImage: ResolveImage, source: string, more: Partial<PlanRequest> = {}) {
  return await planDockerfile(
    {
      source,
      buildArgs: {},
      labels: {},
      network: "default",
      platform,
      buildPlatform: platform,
      contexts: {},
      entitlements: [],
      ...more,
    },
    { signal: new AbortController().signal, resolveImage },
  );
}

async function plan(source: string, more: Partial<PlanRequest> = {}, base = image()) {
  const asked: string[] = [];
  const resolveImage: ResolveImage = async (reference) => {
    asked.push(reference);
    return { reference, chainId: `chain-of-${reference}`, config: base };
  };
  return { ...(await planWith(resolveImage, source, more)), asked };
}

/** What is done, the last thing first. */
function kinds(vertex: Vertex | undefined): readonly string[] {
  if (vertex === undefined) return [];
  return [vertex.op.kind, ...kinds(vertex.inputs[0])];
}

const refused = (source: string, more: Partial<PlanRequest> = {}) =>
  plan(source, more).then(
    () => assert.fail(`taken: ${source}`),
    (error: unknown) => [Fault.from(error).message, rangeOf(error)?.firstLine] as const,
  );

describe("planDockerfile()", () => {
  test("plans the stages that the target needs, and no others", async () => {
    const source = `FROM a AS one
RUN one
FROM b AS two
RUN two
FROM one
COPY --from=two /x /y
FROM c
RUN last`;
    const last = await plan(source);
    assert.deepEqual(last.asked, ["c"]);
    const third = await plan(source, { target: "2", isClassic: true });
    assert.deepEqual(third.asked, ["a", "b"]);
    assert.deepEqual(kinds(third.root), ["copy", "exec", "image"]);
    assert.deepEqual(
      third.steps.map(({ stage, text }) => `${stage.index} ${stage.name} ${text}`),
      [
        "0 one FROM a AS one",
        "0 one RUN one",
        "1 two FROM b AS two",
        "1 two RUN two",
        "2  FROM one",
        "2  COPY --from=two /x /y",
      ],
    );
  });

  test("keeps arguments in their scopes", async () => {
    const source = `ARG base=a tag
FROM \${base}:\${tag:-1}
ARG base
ARG own=of-$base
ENV own=env
RUN x $own
LABEL seen=$own global=$tag`;
    const { root, execution, asked } = await plan(source, { buildArgs: { tag: "2", HTTP_PROXY: "p" } });
    assert.deepEqual(asked, ["a:2"]);
    assert.deepEqual(execution.labels, { seen: "env", global: "" });
    assert.equal(root?.op.kind, "exec");
    assert.deepEqual(root.op.kind === "exec" && [root.op.args, root.op.env, root.op.hiddenEnv], [
      ["/bin/sh", "-c", "x $own"],
      ["base=a", "PATH=/bin", "own=env"],
      ["HTTP_PROXY=p", "http_proxy=p"],
    ]);
  });

  test("makes the configuration, and work only where files change", async () => {
    const base = image({ cmd: ["base"], onBuild: ["RUN trigger"] });
    const source = `FROM a
ENTRYPOINT ["/e"]
WORKDIR /w
WORKDIR sub
EXPOSE 80 8000-8001/udp
VOLUME ["/v"]
HEALTHCHECK --interval=1m30s CMD test
SHELL ["/bin/ash", "-c"]
RUN own shell
ONBUILD COPY . /
USER me
STOPSIGNAL SIGINT`;
    const { root, execution, history } = await plan(source, { labels: { l: "1" } }, base);
    assert.deepEqual(kinds(root), ["exec", "make-folder", "make-folder", "exec", "image"]);
    assert.deepEqual(execution, {
      user: "me",
      exposedPorts: ["80/tcp", "8000/udp", "8001/udp"],
      env: ["PATH=/bin"],
      entrypoint: ["/e"],
      volumes: ["/v"],
      workingDir: "/w/sub",
      labels: { l: "1" },
      stopSignal: "SIGINT",
      healthcheck: {
        test: ["CMD-SHELL", "test"],
        intervalNs: 90e9,
        timeoutNs: 0,
        startPeriodNs: 0,
        startIntervalNs: 0,
        retries: 0,
      },
      shell: ["/bin/ash", "-c"],
      onBuild: ["COPY . /"],
    });
    assert.deepEqual(
      history.filter(({ emptyLayer }) => !emptyLayer).map(({ createdBy }) => createdBy),
      [
        "RUN /bin/sh -c trigger # buildkit",
        "WORKDIR /w",
        "WORKDIR /w/sub",
        "RUN /bin/ash -c own shell # buildkit",
      ],
    );
  });

  // The corpus of Dockerfiles has what dockerd's own front end knows.
  test("tells the history of what only newer front ends know in BuildKit's words", async () => {
    const { history } = await plan(`FROM a
COPY --exclude=*.md --chown=1 --parents --link x/./y <<T /z/
t
T
ADD --checksum=sha256:${"0".repeat(64)} http://host/file .`);
    assert.deepEqual(
      history.map(({ createdBy }) => createdBy),
      ["COPY --parents --chown=1 x/./y <<T /z/ # buildkit", "ADD http://host/file . # buildkit"],
    );
  });

  test("of ARG and ENV the one that comes last counts", async () => {
    const { root, execution } = await plan(
      "FROM a\nENV x=env\nARG x=arg\nARG y=arg\nENV y=env\nUSER $x\nRUN z",
    );
    assert.equal(execution.user, "arg");
    assert.deepEqual(execution.env, ["PATH=/bin", "x=env", "y=env"]);
    assert.deepEqual(root?.op.kind === "exec" && root.op.env, ["x=arg", "PATH=/bin", "y=env"]);
  });

  test("a context takes the place of what is called so: a stage, an image, for one machine or any", async () => {
    const contexts = {
      base: "docker-image://other",
      a: "local:folder",
      "c::linux/amd64": "input:c",
      g: "git://h/r#v",
    };
    const asked = async (source: string) => (await plan(source, { contexts })).asked;
    assert.deepEqual(await asked("FROM x AS Base\nRUN y\nFROM base"), ["other"]);
    assert.deepEqual(await asked("FROM c:latest\nCOPY --from=docker.io/library/c / /"), [
      "input:c",
      "input:c",
    ]);
    const { root } = await plan("FROM x\nCOPY --from=a:latest f /\nCOPY --from=g f /", { contexts });
    assert.deepEqual(
      [root?.inputs[1]?.op, root?.inputs[0]?.inputs[1]?.op],
      [
        { kind: "git", reference: "git://h/r#v", keepsGitDir: false },
        { kind: "local", name: "folder", follow: ["f"] },
      ],
    );
    assert.deepEqual(kinds((await plan("FROM a\nRUN x", { contexts })).root), ["exec", "copy"]);
  });

  test("the same source is the same work; another ENV does not change a COPY", async () => {
    const source = (value: string) => `FROM a\nENV x=${value}\nCOPY f /f\nRUN y`;
    const [one, same, other] = [await plan(source("1")), await plan(source("1")), await plan(source("2"))];
    assert.equal(one.root?.digest, same.root?.digest);
    assert.notEqual(one.root?.digest, other.root?.digest);
    assert.equal(one.root?.inputs[0]?.digest, other.root?.inputs[0]?.digest);
  });

  test("refuses with BuildKit's words and a place", async () => {
    assert.deepEqual(await refused("RUN x"), ["no build stage in current context", 1]);
    assert.deepEqual(await refused("FROM a\n\nCOPY --no=1 x /"), [
      "dockerfile parse error on line 3: unknown flag: --no",
      3,
    ]);
    assert.deepEqual(await refused("FROM a AS bc", { target: "bd" }), [
      'target stage "bd" could not be found (did you mean bc?)',
      undefined,
    ]);
    assert.deepEqual(await refused("FROM a AS b", { target: "0" }), [
      'target stage "0" could not be found (did you mean b?)',
      undefined,
    ]);
    assert.deepEqual(await refused("FROM a AS b\nCOPY --from=1 x y\nFROM b", { target: "b" }), [
      'cannot copy from stage "1", it needs to be defined before current stage "b"',
      2,
    ]);
    assert.deepEqual(await refused("FROM a AS b\nRUN --mount=from=b,target=/m true"), [
      "circular dependency detected on stage: b",
      2,
    ]);
    assert.deepEqual(await refused("FROM a\nCOPY --from=7 x y"), ["invalid stage index 7", undefined]);
    assert.deepEqual(await refused("FROM --platform=$NONE a"), [
      "empty platform value from expression $NONE",
      1,
    ]);
    assert.deepEqual(await refused("FROM a\nONBUILD FROM b"), [
      "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
      2,
    ]);
    assert.deepEqual(await refused('FROM a\nENV x="${y?it is needed}"'), [
      'failed to process "\\"${y?it is needed}\\"": y: it is needed',
      2,
    ]);
    const lines: Readonly<Record<string, string>> = {
      "STOPSIGNAL NOPE": "invalid signal: NOPE",
      "EXPOSE 80/foo": 'invalid port: "80/foo": invalid proto: foo',
      "EXPOSE 1:2:70000": "invalid IP address: 1",
      "EXPOSE 80-81:1-3": "invalid ranges specified for container and host Ports: 1-3 and 80-81",
      "ADD --checksum=sha256:0 x /": "checksum requires HTTP(S) or Git sources",
      "ADD --checksum=sha256:0 https://h/a https://h/b /": "checksum can't be specified for multiple sources",
      "COPY https://h/a /": "source can't be a URL for COPY",
      "COPY git@h:a /": "source can't be a git ref for COPY",
      "COPY --exclude=[ x /": "invalid excludepatterns: [[]: syntax error in pattern",
    };
    for (const [line, words] of Object.entries(lines))
      assert.deepEqual(await refused(`FROM a\n${line}`), [words, 2], line);
  });

  test("refuses what is wrong in stages that nobody needs, and shows circles whole", async () => {
    const last = "\nFROM b\nRUN x";
    assert.deepEqual(await refused(`FROM a\nCOPY --from=9 x /${last}`), ["invalid stage index 9", undefined]);
    assert.deepEqual(await refused(`FROM a\nCOPY --from=$x y /${last}`), [
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
      undefined,
    ]);
    assert.deepEqual(await refused(`FROM A${last}`), [
      'failed to parse stage name "A": invalid reference format: repository name (library/A) must be lowercase',
      1,
    ]);
    const id = "0123456789abcdef".repeat(4);
    assert.deepEqual((await plan(`FROM ${id}`, { isClassic: true })).asked, [id]);
    const circle = "FROM a AS x\nCOPY --from=y f /\nFROM a AS y\nRUN --mount=from=x,target=/m true";
    const error = await plan(circle + last).catch((thrown: unknown) => thrown);
    assert.deepEqual(
      rangesOf(error).map(({ firstLine }) => firstLine),
      [4, 2],
    );
    assert.equal(Fault.from(error).message, "circular dependency detected on stage: x");
    // A plan that fails tells what was found before.
    const failed = await plan("FROM a\nUSER $x\nENV y=${").catch((thrown: unknown) => thrown);
    assert.deepEqual(
      findingsOf(failed).map(({ rule }) => rule),
      ["UndefinedVar"],
    );
  });

  test("an image by its digest alone is no repository, whose name would look so", async () => {
    const image = `a@sha256:${"0123456789abcdef".repeat(4)}`;
    const { root, asked } = await plan(
      `FROM ${image}\nCOPY --from=${image} x /\nRUN --mount=from=${image},target=/m y`,
    );
    assert.deepEqual(
      [kinds(root), asked],
      [
        ["exec", "copy", "image"],
        [image, image, image],
      ],
    );
  });

  test("ONBUILD of a stage is done by the one that goes on from it", async () => {
    const { root, execution, steps } = await plan(
      "FROM a AS x\nONBUILD USER me\nONBUILD COPY f /\nFROM x AS y\nFROM y\nRUN z",
    );
    assert.deepEqual(kinds(root), ["exec", "copy", "image"]);
    assert.deepEqual([execution.user, execution.onBuild], ["me", undefined]);
    assert.deepEqual(steps.map(({ text, node }) => [text, node.range.firstLine]).slice(3, 6), [
      ["FROM x AS y", 4],
      ["ONBUILD USER me", 4],
      ["ONBUILD COPY f /", 4],
    ]);
  });

  test("an image that is missing is told as BuildKit does", async () => {
    const missing = dockerfileFaults.DOCKERFILE_INVALID("x");
    const resolveImage: ResolveImage = async () => {
      throw new Fault("not-found", missing.code, "no such image");
    };
    const refusing = (reference: string, isClassic: boolean) =>
      planWith(resolveImage, `FROM a AS builder\nFROM ${reference}`, { isClassic }).catch(
        (error: unknown) => Fault.from(error).message,
      );
    assert.equal(
      await refusing("buildr", false),
      "buildr: failed to resolve source metadata for docker.io/library/buildr:latest: no such image (did you mean builder?)",
    );
    assert.equal(await refusing("buildr", true), "no such image");
  });

  test("of a mount what nobody knows is refused", async () => {
    const mounts: Readonly<Record<string, string>> = {
      "type=cache,target=/c,sharing=often": 'unsupported sharing value "often"',
      "type=cache": 'invalid mount target "/"',
      "type=tmpfs,target=/": 'invalid mount target "/"',
      "type=cach,target=/c": 'unsupported mount type "cach" (did you mean cache?)',
      "type=cache,target=/c,sharin=locked":
        "unexpected key 'sharin' in 'sharin=locked' (did you mean sharing?)",
      "type=cache,target=/c,locked": "invalid field 'locked' must be a key=value pair",
      "type=cache,target=/c,mode=0999": "invalid value 0999 for mode",
      "type=cache,target=/c,uid=-1": "invalid value -1 for uid",
      "target=/c,gid=1": 'gid not allowed for "bind" type mounts',
      "target=/c,ro=maybe": "invalid value for ro: maybe",
      "type=tmpfs,target=/c,size=-1": "invalid value for size: -1",
      "type=cache,target=/c,size=1m": "unexpected key 'size' for mount type 'cache'",
      "type=secret": "invalid secret mount. one of source, target required",
      "type=secret,id=a,source=b": "both source and id can't be set",
    };
    for (const [text, words] of Object.entries(mounts)) {
      assert.deepEqual(await refused(`FROM a\nRUN --mount=${text} true`), [words, 2], text);
    }
    const { root } = await plan(`FROM a
WORKDIR /w
RUN --mount=type=tmpfs,target=t,size=1.5MiB --mount=type=secret,source=a/b --mount=type=cache,uid=4 true`);
    assert.deepEqual(root?.op.kind === "exec" && root.op.mounts, [
      { kind: "tmpfs", target: "/w/t", sizeBytes: 1_572_864 },
      { kind: "secret", id: "a/b", isRequired: false, mode: 0o400, uid: 0, gid: 0, target: "/run/secrets/b" },
      { kind: "cache", id: "/w", target: "/w", readOnly: false, rights: { mode: 0o755, uid: 4, gid: 0 } },
    ]);
  });

  test("a local path may look like a repository's name without a scheme", async () => {
    const { root } = await plan("FROM a\nADD github.com/a/b /");
    assert.deepEqual(kinds(root), ["copy", "image"]);
    assert.equal(root?.inputs[1]?.op.kind, "local");
  });
});
