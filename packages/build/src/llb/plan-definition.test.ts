import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DefinitionSchema, type MountType, type NetMode } from "../grpc/generated/llb_pb.ts";
import type { Vertex } from "../plan/vertex.ts";
import {
  type LlbResult,
  llbDefinition,
  llbDiff,
  llbExec,
  llbFile,
  llbMerge,
  llbOp,
  llbOutput,
  llbSource,
  llbUnset,
} from "../testing/index.ts";
import { type DefinitionPorts, planDefinition } from "./plan-definition.ts";

const busybox = llbSource("docker-image://docker.io/library/busybox:latest");
const created = new Date(5_000);
const execution = {
  user: "",
  exposedPorts: [],
  env: [],
  volumes: [],
  workingDir: "",
  labels: {},
  stopSignal: "",
};
const config = { os: "linux", architecture: "amd64", created, execution, diffIds: [], history: [] };

function ports(more: Partial<DefinitionPorts> = {}): DefinitionPorts {
  return {
    resolveImage: async (reference) => ({ reference, chainId: "sha256:base", config }),
    resolveResult: async (id) => ({ chainId: `sha256:${id}`, epochMs: 7_000 }),
    entitlements: [],
    signal: AbortSignal.timeout(30_000),
    ...more,
  };
}

const plan = (result: LlbResult, more: Partial<DefinitionPorts> = {}) =>
  planDefinition(llbDefinition(result), ports(more));
const rootOf = async (result: LlbResult, more: Partial<DefinitionPorts> = {}): Promise<Vertex> => {
  const { root } = await plan(result, more);
  assert.ok(root !== undefined);
  return root;
};
const mkdir = (path: string) => ({ case: "mkdir", value: { path, mode: 0o755, ...llbUnset } }) as const;
const rm = (path: string) => ({ case: "rm", value: { path } }) as const;

describe("planDefinition()", () => {
  test("knows where files come from", async () => {
    const cases = [
      [busybox, { kind: "image", reference: "docker.io/library/busybox:latest", chainId: "sha256:base" }],
      [llbSource("hawser-result://x"), { kind: "image", reference: "x", chainId: "sha256:x" }],
      [
        llbSource("local://src", { "local.includepattern": '["*.go"]', "local.session": "s" }),
        { kind: "local", name: "src", include: ["*.go"] },
      ],
      [
        llbSource("git://host/r.git#main:sub", {
          "git.fullurl": "https://host/r.git",
          "git.keepgitdir": "true",
        }),
        { kind: "git", reference: "https://host/r.git#main:sub", keepsGitDir: true },
      ],
      [
        llbSource("https://host/a.tar?x", { "http.filename": "b", "http.perm": "0644", "http.uid": "5" }),
        { kind: "http", url: "https://host/a.tar?x", name: "b", mode: 0o644, uid: 5, gid: 0 },
      ],
    ] as const;
    for (const [source, wanted] of cases) assert.deepEqual((await rootOf(source)).op, wanted);
    assert.equal((await planDefinition(create(DefinitionSchema, {}), ports())).root, undefined);
  });

  test("an exec op without anything special is that of a Dockerfile; what is special is kept", async () => {
    const plain = await rootOf(llbExec([busybox], ["true"]));
    assert.deepEqual(plain.op, {
      kind: "exec",
      args: ["true"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      hiddenEnv: [],
      workingDir: "/",
      user: "",
      network: "default",
      privileged: false,
      mounts: [],
    });
    const special = llbExec([busybox, busybox], ["true"], {
      network: 1,
      security: 1,
      secretEnv: [{ id: "s", name: "S" }],
      meta: {
        env: ["PATH=/x"],
        cwd: "sub",
        user: "1:2",
        proxyEnv: { httpProxy: "p" },
        extraHosts: [{ host: "h", ip: "1.2.3.4" }],
        hostname: "me",
        ulimit: [{ name: "nofile", soft: 1n, hard: 2n }],
        cgroupParent: "/c",
        validExitCodes: [3],
      },
      mounts: [
        { dest: "/z", mountType: 4, tmpfsOpt: { size: 9n }, input: -1n, output: -1n },
        { dest: "/", readonly: true, output: -1n },
        { dest: "/out", input: 1n, selector: "/a/../b", output: 0n },
        { dest: "/c", mountType: 3, input: -1n, output: -1n, cacheOpt: { id: "c", sharing: 2 } },
        { dest: "/d", mountType: 3, input: 0n, selector: "seed", output: -1n },
        {
          dest: "/s",
          mountType: 1,
          input: -1n,
          output: -1n,
          secretOpt: { id: "i", uid: 1, gid: 2, mode: 0o400 },
        },
        { dest: "/a", mountType: 2, input: -1n, output: -1n, sshOpt: { mode: 0o600, optional: true } },
      ],
    });
    const entitlements = ["network.host", "security.insecure"];
    const { op } = await rootOf(special, { entitlements });
    assert.deepEqual(op, {
      kind: "exec",
      args: ["true"],
      env: ["PATH=/x"],
      hiddenEnv: ["HTTP_PROXY=p", "http_proxy=p"],
      workingDir: "/sub",
      user: "1:2",
      hosts: ["h:1.2.3.4"],
      ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
      hostname: "me",
      cgroupParent: "/c",
      exitCodes: [3],
      network: "host",
      privileged: true,
      mounts: [
        { kind: "secret-variable", id: "s", name: "S", isRequired: true },
        { kind: "ssh", id: "default", target: "/a", isRequired: false, mode: 0o600, uid: 0, gid: 0 },
        { kind: "cache", id: "c", target: "/c", readOnly: false, sharing: "locked" },
        { kind: "cache", id: "/d", target: "/d", readOnly: false, files: { input: 1, source: "/seed" } },
        { kind: "bind", input: 2, source: "/b", target: "/out", readOnly: false },
        { kind: "secret", id: "i", target: "/s", isRequired: true, mode: 0o400, uid: 1, gid: 2 },
        { kind: "tmpfs", target: "/z", sizeBytes: 9 },
      ],
      readOnlyRoot: true,
      outputs: [4],
    });
    for (const missing of entitlements) {
      const others = entitlements.filter((name) => name !== missing);
      await assert.rejects(plan(special, { entitlements: others }), { kind: "permission-denied" });
    }
  });

  test("an exec op gives one result for each mount that says so; a read-only one is what it was", async () => {
    const run = llbExec([busybox], ["true"], {
      mounts: [
        { dest: "/", output: 0n },
        { dest: "/ro", input: 0n, readonly: true, output: 1n },
        { dest: "/new", input: -1n, output: 2n },
      ],
    });
    const one = await rootOf(llbOutput(run, 0));
    assert.deepEqual([one.op, one.inputs[0]?.op.kind], [{ kind: "output", index: 0 }, "exec"]);
    assert.equal((await rootOf(llbOutput(run, 1))).op.kind, "image");
    const two = await rootOf(llbOutput(run, 2));
    assert.deepEqual(two.op, { kind: "output", index: 1 });
    await assert.rejects(plan(llbOutput(run, 3)), /there is no result 3/);
  });

  test("file actions that follow each other are one layer, results that are used twice are their own", async () => {
    const chain = llbOp(
      {
        case: "file",
        value: {
          actions: [
            { input: 0n, secondaryInput: -1n, output: -1n, action: mkdir("/a") },
            { input: 1n, secondaryInput: -1n, output: 0n, action: mkdir("/b") },
          ],
        },
      },
      [busybox],
    );
    const { op, inputs } = await rootOf(chain);
    assert.equal(op.kind === "file" && op.actions.length, 2);
    assert.deepEqual(
      inputs.map((input) => input?.op.kind),
      ["image"],
    );
    const split = llbOp(
      {
        case: "file",
        value: {
          actions: [
            { input: 0n, secondaryInput: -1n, output: 1n, action: mkdir("/a") },
            { input: 1n, secondaryInput: -1n, output: 0n, action: mkdir("/b") },
            {
              input: -1n,
              secondaryInput: 1n,
              output: 2n,
              action: { case: "copy", value: { src: "/a", dest: "/", mode: -1, ...llbUnset } },
            },
          ],
        },
      },
      [busybox],
    );
    const [second, first, third] = await Promise.all(
      [0, 1, 2].map((index) => rootOf(llbOutput(split, index))),
    );
    assert.equal(second?.inputs[0]?.digest, first?.digest);
    assert.equal(third?.inputs[0], undefined);
    assert.equal(third?.inputs[1]?.digest, first?.digest);
  });

  test("owners are found where the action says", async () => {
    const owner = {
      user: { user: { case: "byName", value: { name: "me", input: 1n } } },
      group: { user: { case: "byId", value: 5 } },
    } as const;
    const mkfile = { path: "/f", mode: 0o100644, data: Buffer.from("x"), owner, timestamp: 1_500_000n };
    const { op, inputs } = await rootOf(
      llbFile([busybox, llbSource("local://names")], { case: "mkfile", value: mkfile }),
    );
    assert.deepEqual(op, {
      kind: "file",
      actions: [
        {
          kind: "make-file",
          path: "/f",
          mode: 0o644,
          content: "eA==",
          owner: { user: { name: "me", input: 1 }, group: { id: 5 } },
          timeNs: "1500000",
        },
      ],
    });
    assert.deepEqual(
      inputs.map((input) => input?.op.kind),
      ["image", "local"],
    );
  });

  test("merges and diffs of nothing are nothing", async () => {
    const nothing = llbOutput(llbExec([busybox], ["true"], { mounts: [{ dest: "/" }] }), 0);
    assert.equal((await rootOf(llbMerge(busybox))).op.kind, "image");
    assert.deepEqual((await rootOf(llbMerge(busybox, nothing))).inputs.length, 2);
    assert.equal((await rootOf(llbDiff(undefined, busybox))).op.kind, "image");
    assert.equal((await rootOf(llbDiff(nothing, busybox))).op.kind, "diff");
  });

  test("steps are known by the digests and names that the client has for them", async () => {
    const named = llbExec([busybox], ["make", "all"], { name: "[build] make", ignoreCache: true });
    const top = llbMerge(busybox, llbDiff(busybox, named));
    const { steps, ignored, epochs, root } = await plan(top);
    assert.deepEqual(
      steps.map(({ name }) => name),
      [
        "docker-image://docker.io/library/busybox:latest",
        "[build] make",
        "diff (docker-image://docker.io/library/busybox:latest) -> ([build] make)",
        "merge (docker-image://docker.io/library/busybox:latest, diff (docker-image://docker.io/library/busybox:latest) -> ([build] make))",
      ],
    );
    assert.deepEqual(steps.map(({ digest }) => digest).slice(0, 2), [busybox.op.digest, named.op.digest]);
    assert.deepEqual([...ignored], steps[1]?.vertices);
    assert.equal(epochs.get(root?.digest ?? ""), 5_000);
  });

  test("what no client sends is refused", async () => {
    const file = (actions: readonly object[]) =>
      llbOp({ case: "file", value: { actions: [...actions] } }, [busybox]);
    const hostile: readonly LlbResult[] = [
      llbOp(undefined),
      llbOp({ case: "source", value: { identifier: "" } }),
      llbSource("oci-layout://"),
      llbSource("oci-layout://x@sha256:00", { "oci.layerlimit": "1" }),
      llbSource("docker-image://"),
      llbSource("local://x", { "local.includepattern": "{}" }),
      llbSource("https://x/", { "http.perm": "abc" }),
      llbOp({ case: "source", value: { identifier: "local://x" } }, [busybox]),
      llbExec([busybox], []),
      llbExec([busybox], ["x"], { mounts: [] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/", input: 1n }] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/", input: -2n }] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/" }, { dest: "/.." }] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/", selector: "x" }] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/", output: 1n }] }),
      llbExec([busybox], ["x"], { mounts: [{ dest: "/" }, { dest: "/a", mountType: 77 as MountType }] }),
      llbExec([busybox], ["x"], { network: 9 as NetMode }),
      file([]),
      file([{ input: 0n, secondaryInput: -1n, output: 0n }]),
      file([{ input: 1n, secondaryInput: -1n, output: 0n, action: rm("/a") }]),
      file([{ input: 0n, secondaryInput: -1n, output: 5n, action: rm("/a") }]),
      file([
        { input: 0n, secondaryInput: -1n, output: 0n, action: rm("/a") },
        { input: 0n, secondaryInput: -1n, output: 0n, action: rm("/a") },
      ]),
      llbOp({ case: "merge", value: { inputs: [{ input: 4n }] } }, [busybox]),
      llbOp({ case: "diff", value: { lower: { input: 0n }, upper: { input: 1n } } }, [busybox]),
      llbOp({ case: "diff", value: {} }, [busybox]),
      llbOp({ case: "build", value: { builder: 0n } }, [busybox]),
      llbOp({ case: "build", value: { builder: -1n } }, [busybox]),
      llbOutput(busybox, 1),
    ];
    for (const result of hostile) {
      await assert.rejects(plan(result), (error: { kind?: string }) =>
        ["invalid-argument", "not-implemented"].includes(error.kind ?? ""),
      );
    }
  });

  test("graphs are bounded in number, depth and width", async () => {
    let deep: LlbResult = busybox;
    for (let at = 0; at < 2100; at++) deep = llbMerge(deep, busybox);
    const ops = new Map<string, Uint8Array>();
    for (let at: LlbResult | undefined = deep; at !== undefined; at = at.op.inputs[0])
      ops.set(at.op.digest, at.op.bytes);
    const end = llbOp(undefined, [deep]).op.bytes;
    const deeper = create(DefinitionSchema, { def: [...ops.values(), end] });
    await assert.rejects(planDefinition(deeper, ports()), /deeper than/);
    const many = create(DefinitionSchema, { def: Array.from({ length: 20_001 }, () => end) });
    await assert.rejects(planDefinition(many, ports()), /more than/);
    const missing = create(DefinitionSchema, { def: [end] });
    await assert.rejects(planDefinition(missing, ports()), /missing input digest/);
    const notProtobuf = create(DefinitionSchema, { def: [Buffer.from([0xff])] });
    await assert.rejects(planDefinition(notProtobuf, ports()), /no protobuf message/);
  });
});
