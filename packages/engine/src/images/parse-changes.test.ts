import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyChanges, parseChanges } from "./parse-changes.ts";

describe("changes of an import", () => {
  test("are Dockerfile instructions", () => {
    assert.deepEqual(
      parseChanges([
        'CMD ["sh", "-l"]',
        "ENTRYPOINT echo hi",
        'ENV A=1 B=\'two words\' C="a\\"b"',
        "env A 2 and the rest",
        "EXPOSE 80 53/udp 80/TCP",
        'LABEL a.b="c d" __proto__=x',
        "USER 1:2\nWORKDIR /w",
        'VOLUME ["/a"]',
        "VOLUME /b /c",
        "STOPSIGNAL SIGINT",
        "ONBUILD RUN x",
        "",
        "# nothing",
      ]),
      {
        cmd: ["sh", "-l"],
        entrypoint: ["/bin/sh", "-c", "echo hi"],
        env: ["A=2 and the rest", "B=two words", 'C=a"b'],
        exposedPorts: ["80/tcp", "53/udp"],
        labels: Object.fromEntries([
          ["a.b", "c d"],
          ["__proto__", "x"],
        ]),
        user: "1:2",
        workingDir: "/w",
        volumes: ["/a", "/b", "/c"],
        stopSignal: "SIGINT",
        onBuild: ["RUN x"],
      },
    );
  });

  test("a health check", () => {
    const none = { intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, startIntervalNs: 0, retries: 0 };
    assert.deepEqual(parseChanges(["HEALTHCHECK --interval=5s --retries=2 CMD a  b"]).healthcheck, {
      ...none,
      intervalNs: 5e9,
      retries: 2,
      test: ["CMD-SHELL", "a  b"],
    });
    assert.deepEqual(parseChanges(['HEALTHCHECK CMD ["a"]']).healthcheck, { ...none, test: ["CMD", "a"] });
    assert.deepEqual(parseChanges(["HEALTHCHECK NONE"]).healthcheck, { ...none, test: ["NONE"] });
  });

  test("join what there is", () => {
    const config = {
      user: "",
      exposedPorts: [],
      env: [],
      volumes: [],
      workingDir: "/tmp",
      labels: {},
      cmd: ["a"],
    };
    const change = (...lines: string[]) => applyChanges({ ...config, stopSignal: "" }, parseChanges(lines));
    assert.equal(change("WORKDIR a", "WORKDIR b").workingDir, "/tmp/a/b");
    assert.equal(change("WORKDIR /a").workingDir, "/a");
    assert.deepEqual(change("USER 1").cmd, ["a"]);
    assert.equal(change('ENTRYPOINT ["e"]').cmd, undefined);
    assert.deepEqual(change('ENTRYPOINT ["e"]', 'CMD ["c"]').cmd, ["c"]);
  });

  for (const [line, message] of [
    ["RUN rm -rf /", "RUN is not a valid change command"],
    ["constructor x", "CONSTRUCTOR is not a valid change command"],
    ["USER", "USER requires at least one argument"],
    ["ENV A", '"A" is not name=value'],
    ["EXPOSE x", "Invalid containerPort: x"],
    ["EXPOSE 70000", "Invalid containerPort: 70000"],
    ["LABEL a='b", "a quote is not closed"],
    ["SHELL sh", "SHELL is not a valid change command"],
    ["STOPSIGNAL NOPE", "invalid signal: NOPE"],
    ["# nothing", "file with no instructions"],
    ["HEALTHCHECK --interval=x CMD a", 'time: invalid duration "x"'],
    ["HEALTHCHECK --nope=x CMD a", "unknown flag: --nope"],
    ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
    ["HEALTHCHECK a", 'Unknown type "a" in HEALTHCHECK (try CMD)'],
  ] as const) {
    test(`${line} is refused`, () => {
      assert.throws(() => parseChanges([line]), { kind: "invalid-argument", message });
    });
  }
});
