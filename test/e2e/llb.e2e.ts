import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import {
  type LlbResult,
  llbDefinition,
  llbDefinitionBytes,
  llbDiff,
  llbExec,
  llbFile,
  llbMerge,
  llbOp,
  llbOutput,
  llbSource,
  llbSourcesOf,
  llbUnset,
  openBuildClient,
} from "@hawser/build/testing";
import { hawserOnly, useTarget } from "./kit-target.ts";

const target = useTarget();

const busybox = llbSource("docker-image://docker.io/library/busybox:latest");
const file = (path: string, text: string, more: object = {}) =>
  ({
    case: "mkfile",
    value: { path, mode: 0o644, data: Buffer.from(text), ...llbUnset, ...more },
  }) as const;
const folder = (path: string, more: object = {}) =>
  ({ case: "mkdir", value: { path, mode: 0o755, makeParents: true, ...llbUnset, ...more } }) as const;
const copy = (src: string, dest: string, more: object = {}) =>
  ({
    case: "copy",
    value: { src, dest, mode: -1, createDestPath: true, dirCopyContents: true, ...llbUnset, ...more },
  }) as const;
const remove = (path: string, more: object = {}) => ({ case: "rm", value: { path, ...more } }) as const;
/** Actions one after the other, as one op; the second input is where copies are from. */
const actions = (inputs: readonly LlbResult[], ...all: readonly object[]) =>
  llbOp(
    {
      case: "file",
      value: {
        actions: all.map((action, at) => ({
          input: BigInt(at === 0 ? (inputs.length === 0 ? -1 : 0) : inputs.length + at - 1),
          secondaryInput: inputs.length > 1 ? 1n : -1n,
          output: at === all.length - 1 ? 0n : -1n,
          action: action as ReturnType<typeof file>,
        })),
      },
    },
    inputs,
  );

describe("graphs that a client made itself", hawserOnly, () => {
  const client = () => openBuildClient(target.socket());
  const image = (name: string) => ({ exporters: [{ type: "moby", attrs: { name } }] });
  /** What a shell in the result prints. */
  const shown = async (result: LlbResult, script: string) => {
    const base = llbMerge(busybox, result);
    await client().build(llbDefinition(base), image("shown:llb"));
    return await target.ok("run", "--rm", "shown:llb", "sh", "-c", script);
  };

  test("a process and changes of files give an image, whose steps are known by the client's digests", async () => {
    const root = llbExec([busybox], ["sh", "-c", "mkdir /w; chmod 777 /w"]);
    const there = llbExec([root], ["sh", "-c", "echo made > /w/made; echo says; id -u > /w/who; exit 3"], {
      name: "[make] it",
      meta: { user: "7", validExitCodes: [0, 3] },
    });
    const failing = llbExec([busybox], ["sh", "-c", "exit 4"], { meta: { validExitCodes: [0, 3] } });
    await assert.rejects(
      client().build(llbDefinition(failing)),
      /process "sh -c exit 4" did not complete successfully: exit code: 4/,
    );
    const first = await client().build(llbDefinition(there), image("first:llb"));
    assert.match(first.output, /says/);
    const step = first.steps.get(there.op.digest);
    assert.deepEqual(step, { name: "[make] it", cached: false, error: "" });
    assert.match(first.response["containerimage.config.digest"] ?? "", /^sha256:/);
    assert.equal(await target.ok("run", "--rm", "first:llb", "cat", "/w/made", "/w/who"), "made\n7\n");
    const again = await client().build(llbDefinition(there), image("first:llb"));
    assert.equal(again.steps.get(there.op.digest)?.cached, true);
    assert.deepEqual(again.response, first.response);
    const ignoring = llbExec([root], ["sh", "-c", "true"], { ignoreCache: true });
    for (const _ of [1, 2]) {
      const { steps } = await client().build(llbDefinition(ignoring));
      assert.equal(steps.get(ignoring.op.digest)?.cached, false);
    }
  });

  test("a process gives what it wrote to each of its mounts; what it may not keep is lost", async () => {
    const under = actions([], folder("/in/deep"), file("/in/deep/old", "old"));
    const run = llbExec(
      [busybox, under],
      [
        "sh",
        "-c",
        "cat /a/old; echo new > /a/new; rm /a/old; echo x > /b/x; echo lost > /c/lost; ! touch /d/no",
      ],
      {
        mounts: [
          { dest: "/", output: 0n },
          { dest: "/a", input: 1n, selector: "/in/deep", output: 1n },
          { dest: "/b", input: -1n, output: 2n },
          { dest: "/c", input: 1n, output: -1n },
          { dest: "/d", input: 1n, output: -1n, readonly: true },
        ],
      },
    );
    const all = llbMerge(llbOutput(run, 2), llbOutput(run, 1));
    assert.equal(
      await shown(all, "cat /x /in/deep/new; ls /in/deep; ls / | grep lost || echo none"),
      "x\nnew\nnew\nnone\n",
    );
    const again = await client().build(llbDefinition(all));
    assert.equal(again.steps.get(run.op.digest)?.cached, true);
  });

  test("file actions do what BuildKit's do", async () => {
    const source = actions(
      [],
      folder("/src/sub/deep"),
      file("/src/a.txt", "a"),
      file("/src/b.log", "b"),
      file("/src/sub/c.txt", "c"),
      file("/src/sub/deep/d.log", "d"),
      { case: "symlink", value: { oldPath: "a.txt", newPath: "/src/link", ...llbUnset } },
    );
    const owner = { user: { user: { case: "byId", value: 5 } }, group: { user: { case: "byId", value: 6 } } };
    const named = { user: { user: { case: "byName", value: { name: "bin", input: 0n } } } };
    const result = actions(
      [llbOp({ case: "merge", value: { inputs: [{ input: 0n }] } }, [busybox]), source],
      copy("/src", "/content"),
      copy("/src", "/whole/", { dirCopyContents: false }),
      copy("/src/*.txt", "/wild/", { allowWildcard: true }),
      copy("/none*", "/wild/", { allowWildcard: true, allowEmptyWildcard: true }),
      copy("/src/link", "/kept-link"),
      copy("/src/link", "/followed", { followSymlink: true }),
      copy("/src", "/only", { includePatterns: ["**/*.log"] }),
      copy("/src", "/without", { excludePatterns: ["**/*.log"] }),
      copy("/src/a.txt", "/dressed/x", { owner, mode: 0o640, timestamp: 1_000_000_000_000_000_000n }),
      copy("/src/a.txt", "/runs", { modeStr: "u+x,go=" }),
      file("/mine", "m", { owner: named, mode: 0o600 }),
      folder("/x/y/z", { mode: 0o700 }),
      file("/x/y/z/f", "f"),
      remove("/x/y/z"),
      remove("/wild/*.nothing", { allowWildcard: true }),
      remove("/nothing", { allowNotFound: true }),
    );
    const script = `cd /; for d in content whole wild only without x; do find $d ! -type d | sort | tr '\\n' ' '; done; echo
readlink kept-link; cat followed; echo; stat -c '%n %u:%g %a %Y' dressed dressed/x runs; stat -c '%u %a' mine; find x`;
    await client().build(llbDefinition(result), image("files:llb"));
    assert.equal(
      await target.ok("run", "--rm", "files:llb", "sh", "-c", script),
      `content/a.txt content/b.log content/link content/sub/c.txt content/sub/deep/d.log whole/src/a.txt whole/src/b.log whole/src/link whole/src/sub/c.txt whole/src/sub/deep/d.log wild/a.txt only/b.log only/sub/deep/d.log without/a.txt without/link without/sub/c.txt \na.txt\na\ndressed 5:6 640 1000000000\ndressed/x 5:6 640 1000000000\nruns 0:0 700 0\n2 600\nx\nx/y\n`,
    );
    const history = await target.ok("history", "-q", "files:llb");
    assert.equal(
      history.trim().split("\n").length,
      (await target.ok("history", "-q", "busybox")).trim().split("\n").length + 1,
    );
  });

  test("file actions that cannot be done say so, and no path leads out", async () => {
    const refused: readonly (readonly [LlbResult, RegExp])[] = [
      [actions([busybox], folder("/a/b", { makeParents: false })), /mkdir .*no such file or directory/],
      [actions([busybox], remove("/none")), /rm .*no such file or directory/],
      [actions([busybox], remove("/../..")), /invalid empty path/],
      [actions([busybox, busybox], copy("/none", "/")), /"\/?none": not found/],
      [actions([busybox, busybox], copy("/none*", "/", { allowWildcard: true })), /not found/],
      [
        actions([busybox, busybox], copy("/bin/sh", "/a/b", { createDestPath: false })),
        /no such file or directory/,
      ],
      [
        actions(
          [busybox, busybox],
          copy("/bin", "/x", { includePatterns: ["sh"], requiredPaths: ["/bin/none"] }),
        ),
        /none.*not found/,
      ],
      [actions([busybox, busybox], copy("/bin", "/x", { excludePatterns: ["["] })), /invalid patterns/],
    ];
    for (const [result, wanted] of refused)
      await assert.rejects(client().build(llbDefinition(result)), wanted);
    const out = actions(
      [],
      { case: "symlink", value: { oldPath: "/../../../etc", newPath: "/out", ...llbUnset } },
      folder("/etc"),
      file("/out/hawser-was-here", "inside"),
    );
    assert.equal(await shown(out, "cat /etc/hawser-was-here"), "inside");
  });

  test("merges lay file systems over each other, diffs take them apart", async () => {
    const a = actions([], file("/one", "a"), folder("/d"), file("/d/a", "a"));
    const b = actions([], file("/one", "b"), folder("/d"), file("/d/b", "b"));
    assert.equal(await shown(llbMerge(a, b), "cat /one; ls /d"), "ba\nb\n");
    assert.equal(await shown(llbMerge(b, a, b), "cat /one"), "b");
    const changed = llbExec(
      [llbMerge(busybox, a)],
      ["sh", "-c", "rm -r /d; mkdir /d; echo > /d/c; echo x > /l1; ln /l1 /l2; rm /one; ln -s x /one"],
    );
    const change = llbDiff(llbMerge(busybox, a), changed);
    // What was hidden and removed is hidden and removed wherever the change is laid on.
    assert.equal(await shown(llbMerge(b, change), "readlink /one; ls /d; stat -c %h /l1"), "x\nc\n2\n");
    const back = llbDiff(changed, llbMerge(busybox, a));
    assert.equal(
      await shown(llbMerge(changed, back), "cat /one /d/a; ls /d; ls / | grep l1 || echo none"),
      "aaa\nnone\n",
    );
    const same = await client().build(llbDefinition(llbDiff(changed, changed)), image("empty:llb"));
    assert.match(same.response["containerimage.config.digest"] ?? "", /^sha256:/);
    assert.equal(
      (await target.ok("image", "inspect", "-f", "{{len .RootFS.Layers}}", "empty:llb")).trim(),
      "0",
    );
  });

  test("processes that want a cache for themselves wait for each other", async () => {
    const script = "mkdir /c/taken && sleep 0.3 && rmdir /c/taken";
    const runs = ["one", "two"].map((name) =>
      llbExec([busybox], ["sh", "-c", script, name], {
        mounts: [
          { dest: "/", output: 0n },
          { dest: "/c", mountType: 3, input: -1n, output: -1n, cacheOpt: { id: "llb-e2e", sharing: 2 } },
        ],
      }),
    );
    await Promise.all(runs.map((run) => client().build(llbDefinition(run))));
  });

  test("a graph may be in a file of another one, but not for ever", async () => {
    const inner = llbExec([busybox], ["sh", "-c", "echo inner > /inner"]);
    const nested = (result: LlbResult) => {
      const bytes = llbDefinitionBytes(result);
      const holder = actions([], file("/buildkit.llb.definition", "", { data: bytes }));
      return llbOp(
        { case: "build", value: { builder: -1n, inputs: { "buildkit.llb.definition": { input: 0n } } } },
        [holder],
      );
    };
    assert.equal(await shown(nested(inner), "cat /inner"), "inner\n");
    let deep = nested(inner);
    for (let at = 0; at < 4; at++) deep = nested(deep);
    await assert.rejects(client().build(llbDefinition(deep)), /in more than/);
  });

  test("a file of the net is a file system", async () => {
    await using net = await serve((_, response) => response.end("of the net"));
    const got = llbSource(`${net.url}/x/name.txt`, { "http.perm": "0640", "http.uid": "3" });
    assert.equal(await shown(got, "cat /name.txt; stat -c ' %a %u' /name.txt"), "of the net 640 3\n");
    const wrong = llbSource(`${net.url}/x`, { "http.checksum": `sha256:${"0".repeat(64)}` });
    await assert.rejects(client().build(llbDefinition(wrong)), /digest mismatch/);
  });

  test("what is not allowed, and what is no graph, is refused", async () => {
    const host = llbExec([busybox], ["true"], { network: 1 });
    await assert.rejects(client().build(llbDefinition(host)), /network.host is not allowed/);
    await client().build(llbDefinition(host), { entitlements: ["network.host"] });
    await assert.rejects(
      client().build({ ...llbDefinition(busybox), def: [Buffer.from("x")] }),
      /invalid LLB definition/,
    );
  });

  test("a front end may use what another one made, and the other way round", async () => {
    await using net = await serve((_, response) => response.end("FROM busybox\nRUN echo d > /dockerfile\n"));
    const { gateway } = client();
    const build = await client().asFrontEnd(image("both:llb").exporters, async (call) => {
      const context = `${net.url}/Dockerfile`;
      const first = await gateway.solve(
        {
          frontend: "dockerfile.v0",
          frontendOpt: { context },
          allowResultReturn: true,
          allowResultArrayRef: true,
        },
        call,
      );
      const made = first.result?.result;
      assert.ok(made?.case === "ref" && made.value.def !== undefined);
      const [identifier] = llbSourcesOf(made.value.def);
      const onTop = llbFile([llbSource(identifier ?? "")], file("/llb", "l"));
      const second = await gateway.solve(
        { definition: llbDefinition(onTop), allowResultReturn: true, allowResultArrayRef: true },
        call,
      );
      const top = second.result?.result;
      assert.ok(top?.case === "ref" && top.value.def !== undefined);
      const { data } = await gateway.readFile({ ref: top.value.id, filePath: "/dockerfile" }, call);
      assert.equal(Buffer.from(data).toString(), "d\n");
      const third = await gateway.solve(
        {
          frontend: "dockerfile.v0",
          frontendOpt: { context: `${net.url}/Dockerfile`, "context:busybox": "input:under" },
          frontendInputs: { under: top.value.def },
          allowResultReturn: true,
          allowResultArrayRef: true,
        },
        call,
      );
      const end = third.result?.result;
      assert.ok(end?.case === "ref");
      const said = { architecture: "amd64", os: "linux", config: { Labels: { said: "by the front end" } } };
      return { ref: end.value.id, config: Buffer.from(JSON.stringify(said)) };
    });
    assert.match(build["containerimage.config.digest"] ?? "", /^sha256:/);
    assert.equal(await target.ok("run", "--rm", "both:llb", "cat", "/dockerfile", "/llb"), "d\nl");
    const labels = await target.ok("image", "inspect", "-f", "{{json .Config.Labels}}", "both:llb");
    assert.deepEqual(JSON.parse(labels), { said: "by the front end" });
  });
});

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
