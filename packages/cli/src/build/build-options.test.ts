import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Session } from "../session.ts";
import { parseOutput } from "./build-output.ts";
import { parseAgent, parseSecret } from "./build-secrets.ts";
import {
  attestationOf,
  frontendAttributes,
  parseCacheEntry,
  parseNamedContext,
} from "./frontend-attributes.ts";
import { askedQuestion } from "./questions.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-test-"));
after(() => rmSync(folder, { recursive: true }));
const session = { workingDir: folder, environment: { TOKEN: "t", HOME: "h" } } as unknown as Session;

describe("options of a build", () => {
  test("--output, as buildx has it", () => {
    const names = ["a:1", "b"];
    const parse = (text: string) => parseOutput(text, { names });
    assert.deepEqual(parse("out"), { type: "tar", attributes: {}, place: { kind: "folder", path: "out" } });
    assert.deepEqual(parse("-"), { type: "tar", attributes: {}, place: { kind: "file", path: "" } });
    assert.deepEqual(parse("type=local,dest=x"), {
      type: "tar",
      attributes: {},
      place: { kind: "folder", path: "x" },
    });
    assert.deepEqual(parse("type=oci,dest=x.tar"), {
      type: "oci",
      attributes: { name: "a:1,b" },
      place: { kind: "file", path: "x.tar" },
    });
    assert.deepEqual(parse("type=docker"), { type: "moby", attributes: { name: "a:1,b" } });
    assert.deepEqual(parse("type=registry"), {
      type: "image",
      attributes: { name: names.join(","), push: "true" },
    });
    assert.deepEqual(parse('type=registry,"name=c,d"'), {
      type: "image",
      attributes: { name: "c,d", push: "true" },
    });
    for (const wrong of ["type=local", "dest=x", "type=other", "type=oci,x"]) {
      assert.throws(() => parse(wrong), { name: "Fault" }, wrong);
    }
  });

  test("--secret and --ssh", () => {
    writeFileSync(join(folder, "file"), "of a file");
    const secret = (text: string) => {
      const [id, read] = parseSecret(session, text);
      return [id, Buffer.from(read()).toString()];
    };
    assert.deepEqual(secret("id=x,src=file"), ["x", "of a file"]);
    assert.deepEqual(secret("id=file"), ["file", "of a file"]);
    assert.deepEqual(secret("id=TOKEN"), ["TOKEN", "t"]);
    assert.deepEqual(secret("id=y,env=TOKEN"), ["y", "t"]);
    assert.deepEqual(secret("id=z,type=env,src=TOKEN"), ["z", "t"]);
    assert.throws(() => secret("id=y,env=MISSING"), /secret y: not found/);
    assert.throws(() => secret("id=x,src=nothing"), /no such file/);
    assert.throws(() => secret("src"), /key=value/);
    assert.throws(() => secret("id=x,what=y"), /unexpected key/);
    writeFileSync(join(folder, "big"), Buffer.alloc(600 << 10));
    assert.throws(() => secret("id=big"), /the most is/);
    assert.throws(() => parseAgent(session, "default"), /SSH_AUTH_SOCK/);
    assert.throws(() => parseAgent(session, `k=${join(folder, "file")}`), /no agent's socket/);
  });

  test("a front end is told in BuildKit's words", () => {
    const none = {
      filename: "Dockerfile",
      target: "",
      platforms: [],
      buildArgs: {},
      labels: {},
      noCache: false,
      noCacheFilter: [],
      pull: false,
      network: "default",
      extraHosts: [],
      ulimits: [],
      shmSizeBytes: 0,
      cgroupParent: "",
      cacheFrom: [],
      attestations: [],
    };
    assert.deepEqual(frontendAttributes(none), { filename: "Dockerfile" });
    assert.deepEqual(
      frontendAttributes({
        ...none,
        target: "t",
        buildArgs: { A: "1" },
        labels: { l: "2" },
        noCacheFilter: ["x", "y"],
        pull: true,
        network: "none",
        extraHosts: ["h:::1"],
        ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
        shmSizeBytes: 64,
        cacheFrom: [parseCacheEntry("r/x"), parseCacheEntry("type=local,src=d")],
        attestations: attestationOf("provenance", "mode=max"),
      }),
      {
        filename: "Dockerfile",
        target: "t",
        "build-arg:A": "1",
        "label:l": "2",
        "no-cache": "x,y",
        "image-resolve-mode": "pull",
        "force-network-mode": "none",
        "add-hosts": "h=::1",
        ulimit: "nofile=1:2",
        "shm-size": "64",
        "cache-imports": '[{"Type":"registry","Attrs":{"ref":"r/x"}},{"Type":"local","Attrs":{"src":"d"}}]',
        "attest:provenance": "mode=max",
      },
    );
    assert.throws(() => frontendAttributes({ ...none, noCache: true, noCacheFilter: ["x"] }), /together/);
    assert.throws(() => parseNamedContext("x"), /expected key=value/);
  });

  test("--call and --check", () => {
    assert.equal(askedQuestion({ call: "build", check: false }), undefined);
    assert.equal(askedQuestion({ call: "build", check: true })?.attributes["requestid"], "frontend.lint");
    assert.equal(askedQuestion({ call: "targets,format=json", check: false })?.isJson, true);
    assert.throws(() => askedQuestion({ call: "toString", check: false }), /unsupported call/);
  });
});
