import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { useTarget } from "./kit-target.ts";

const target = useTarget();

/** Each step adds its letter to a cache of one id, and tells of the folder: its rights, its owner, the letters in it. */
const source = `FROM busybox AS one
RUN mkdir /seed && echo -n s > /seed/word && chmod 750 /seed
FROM busybox AS two
RUN mkdir /seed && echo -n t > /seed/word
FROM busybox
COPY --chmod=755 step /step
RUN --mount=type=cache,id=c,target=/c /step a
RUN --mount=type=cache,id=c,target=/c,uid=7 /step b
RUN --mount=type=cache,id=c,target=/c,uid=7,mode=0700 /step c
RUN --mount=type=cache,id=c,target=/other,mode=0700,uid=7 /step d
RUN --mount=type=cache,id=c,target=/c,from=one,source=/seed /step e
RUN --mount=type=cache,id=c,target=/c,from=two,source=/seed /step f
RUN --mount=type=cache,id=c,target=/c /step g
CMD ["cat", "/seen"]
`;
const step = `#!/bin/sh
[ -d /c ] && cd /c || cd /other
echo -n $1 >> word
echo "$1 $(stat -c '%a %u' .) $(cat word)" >> /seen
`;

describe("caches of one id that begin otherwise", () => {
  let client: BuildkitClient;
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());

  test("are others", async () => {
    /** @param again makes all steps other ones */
    const build = async (again: string) => {
      await using dir = await openFiles({ Dockerfile: source, step: `${step}# ${again}\n` });
      await client.ok("build", "-t", "rights:kit", dir.path);
      return (await target.ok("run", "--rm", "rights:kit")).trimEnd().split("\n");
    };
    assert.deepEqual(await build("first"), [
      "a 755 0 a",
      "b 755 7 b",
      "c 700 7 c",
      "d 700 7 cd",
      "e 750 0 se",
      "f 755 0 tf",
      "g 755 0 ag",
    ]);
    const second = await build("second");
    assert.deepEqual(
      [3, 4, 6].map((at) => second[at]),
      ["d 700 7 cdcd", "e 750 0 see", "g 755 0 agag"],
    );
  });
});
