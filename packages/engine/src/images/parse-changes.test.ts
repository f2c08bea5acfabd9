import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseChanges } from "./parse-changes.ts";

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

  for (const [line, message] of [
    ["RUN rm -rf /", "RUN is not a valid change command"],
    ["constructor x", "CONSTRUCTOR is not a valid change command"],
    ["USER", 'Cannot apply change "USER": USER requires at least one argument'],
    ["ENV A", 'Cannot apply change "ENV A": "A" is not name=value'],
    ["EXPOSE x", 'Cannot apply change "EXPOSE x": invalid port x'],
    ["EXPOSE 70000", 'Cannot apply change "EXPOSE 70000": invalid port 70000'],
    ["LABEL a='b", 'Cannot apply change "LABEL a=\'b": a quote is not closed'],
    ["SHELL sh", 'Cannot apply change "SHELL sh": SHELL requires the arguments to be in JSON form'],
  ] as const) {
    test(`${line} is refused`, () => {
      assert.throws(() => parseChanges([line]), { kind: "invalid-argument", message });
    });
  }
});
