import assert from "node:assert/strict";
import { test } from "node:test";
import { modeChange } from "./symbolic-mode.ts";

test("modeChange() is what chmod(1) makes of permission bits", () => {
  const cases = [
    [{}, 0o640, false, 0o640],
    [{ mode: 0o7 }, 0o640, true, 0o7],
    [{ modeText: "755" }, 0o640, false, 0o755],
    [{ modeText: "u+x" }, 0o640, false, 0o740],
    [{ modeText: "go=" }, 0o777, false, 0o700],
    [{ modeText: "a-w,u+s" }, 0o755, false, 0o4555],
    [{ modeText: "+X" }, 0o644, false, 0o644],
    [{ modeText: "+X" }, 0o644, true, 0o755],
    [{ modeText: "u=rwx,go=rX" }, 0o600, false, 0o755],
    [{ modeText: "=r+w-r,+t" }, 0o777, false, 0o1222],
  ] as const;
  for (const [change, before, isFolder, wanted] of cases) {
    assert.equal(modeChange(change)(before, isFolder), wanted, JSON.stringify(change));
  }
});
