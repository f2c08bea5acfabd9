import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openFakeRegistry } from "@hawser/registry/testing";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { layerOf, publishImage } from "./kit-registry.ts";
import { againstDockerd, hawserOnly, useTarget } from "./kit-target.ts";

interface Checked {
  readonly warnings:
    | null
    | readonly {
        readonly ruleName: string;
        readonly detail: string;
        readonly location: { readonly ranges: readonly { readonly start: { readonly line: number } }[] };
      }[];
}

/** By what they are about: the Dockerfile, further options, and what is said of it. Real BuildKit says the same. */
const cases: Readonly<
  Record<
    string,
    {
      readonly lines: readonly string[];
      readonly args?: readonly string[];
      readonly found: readonly string[];
    }
  >
> = {
  "variables that nobody has set": {
    lines: [
      "FROM busybox AS base",
      "ARG declared",
      "ARG FOO=1",
      "ENV BAR=1",
      "FROM base",
      "COPY $declared$FOO$BAR kept /",
      "WORKDIR /$TARGETPLATFRM",
      "ENV PATH=$PAHT:/bin XYZ=$BARR",
      "ENV Y=${LONGER1:-x}${LONGER2-x}${LONGER3:+x}",
      "RUN echo $OTHER",
      'CMD ["echo", "$OTHER"]',
      "LABEL a=$FOO b=${FO}",
      "USER ${nobody}",
    ],
    found: [
      "7 UndefinedVar: Usage of undefined variable '$TARGETPLATFRM'",
      "8 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)",
      "8 UndefinedVar: Usage of undefined variable '$BARR' (did you mean $BAR?)",
      "9 UndefinedVar: Usage of undefined variable '$LONGER1'",
      "9 UndefinedVar: Usage of undefined variable '$LONGER2'",
      "9 UndefinedVar: Usage of undefined variable '$LONGER3'",
      "12 UndefinedVar: Usage of undefined variable '$FO' (did you mean $FOO?)",
      "13 UndefinedVar: Usage of undefined variable '$nobody'",
    ],
  },
  "images that nobody names": {
    lines: ["ARG TAG", "ARG NAME=busybox", "FROM ${NAME}:${TAG} AS a", "FROM $NAME AS b", "FROM a"],
    args: ["--build-arg", "TAG=latest"],
    found: [
      "3 InvalidDefaultArgInFrom: Default value for ARG ${NAME}:${TAG} results in empty or invalid base image name",
    ],
  },
  "variables in FROM that are nearly there": {
    lines: ["ARG NAME=busybox", "FROM busybox$NAMEE"],
    found: ["2 UndefinedArgInFrom: FROM argument 'NAMEE' is not declared (did you mean NAME?)"],
  },
  "files that .dockerignore leaves out, where that is asked for": {
    lines: [
      "# check=experimental=CopyIgnoredFile",
      "FROM scratch AS a",
      "COPY ignored /",
      "COPY ./dir/file /ignored /x/",
      "ADD *.md kept /y/",
      "COPY . /z",
      "FROM scratch",
      "COPY --from=a ignored /",
      "ADD dir /dir",
      "ADD --chown=1 a.md /dir",
      "COPY <<ignored /",
      "x",
      "ignored",
    ],
    found: [
      '3 CopyIgnoredFile: Attempting to Copy file "ignored" that is excluded by .dockerignore',
      '4 CopyIgnoredFile: Attempting to Copy file "./dir/file" that is excluded by .dockerignore',
      '5 CopyIgnoredFile: Attempting to Add file "*.md" that is excluded by .dockerignore',
      '9 CopyIgnoredFile: Attempting to Add file "dir" that is excluded by .dockerignore',
      '10 CopyIgnoredFile: Attempting to Add file "a.md" that is excluded by .dockerignore',
    ],
  },
  "nothing of those otherwise": { lines: ["FROM scratch", "COPY ignored /"], found: [] },
  "nothing that is not wanted": {
    lines: ["# check=skip=UndefinedVar;experimental=all", "FROM scratch", "COPY kept$X /"],
    found: [],
  },
};

describe("build checks", () => {
  const target = useTarget();
  let client: BuildkitClient;
  const resources = new AsyncDisposableStack();
  before(async () => {
    client = resources.use(await openBuildkitClient(target, "sid"));
  });
  after(() => resources.disposeAsync());

  const found = (stdout: string) =>
    ((JSON.parse(stdout) as Checked).warnings ?? []).map(
      ({ ruleName, detail, location }) => `${location.ranges[0]?.start.line} ${ruleName}: ${detail}`,
    );
  const open = (lines: readonly string[]) =>
    openFiles({
      Dockerfile: `${lines.join("\n")}\n`,
      ".dockerignore": "ignored\ndir\n*.md\n",
      kept: "1",
    });

  for (const [what, { lines, args = [], found: wanted }] of Object.entries(cases)) {
    test(`see ${what}`, async () => {
      await using dir = await open(lines);
      const asked = await client.run(["buildx", "build", "--call=check,format=json", ...args, dir.path]);
      assert.deepEqual(found(asked.stdout).toSorted(), wanted.toSorted(), asked.stderr);
      if (againstDockerd) return;
      const own = await target.engine().hawser(["build", "--call=check,format=json", ...args, dir.path]);
      assert.deepEqual(found(own.stdout).toSorted(), wanted.toSorted(), own.stderr);
    });
  }

  test(
    "are about images that are here or only known, and files of our own client's",
    hawserOnly,
    async () => {
      await using registry = await openFakeRegistry();
      publishImage(registry, { repository: "far", tag: "1", plainLayers: [await layerOf({ a: "1" })] });
      const lines = [
        `FROM --platform=$PLATFORM ${registry.address}/far:1 AS a`,
        "FROM busybox",
        "COPY --from=a /bin/sh $PAHT /bin/",
      ];
      await using dir = await open(["ARG PLATFORM=linux/arm64", ...lines]);
      const wanted = [
        `2 InvalidBaseImagePlatform: Base image ${registry.address}/far:1 was pulled with platform "linux/amd64", expected "linux/arm64" for current build`,
        "4 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)",
      ];
      const own = await target.engine().hawser(["build", "--call=check,format=json", dir.path]);
      assert.deepEqual(found(own.stdout), wanted, own.stderr);
      assert.equal(registry.count(/^GET .*\/blobs\//), 1, "its configuration is all that is asked for");
      await using plain = await open(["FROM busybox", "ENV A=$PAHT"]);
      const built = await target.engine().hawser(["build", "--progress", "plain", plain.path]);
      assert.equal(built.exitCode, 0, built.stderr);
      assert.match(built.stderr, /UndefinedVar: .*\(line 2\)/);
      await using gone = await open([`FROM ${registry.address}/nothing`, "MAINTAINER me"]);
      const missing = await target.engine().hawser(["build", "--check", gone.path]);
      assert.equal(missing.exitCode, 1);
      assert.match(missing.stdout, /MaintainerDeprecated[^]*ERROR: .*nothing/);
    },
  );

  test("that fail a build say which", hawserOnly, async () => {
    await using dir = await open(["# check=error=true", "FROM busybox", "ENV A=$NOBODY"]);
    const { exitCode, stderr } = await target.engine().hawser(["build", dir.path]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /Dockerfile:3\n[^]*lint violation found for rules: UndefinedVar/);
  });

  test("are what an argument says, whatever the text says itself", async () => {
    await using dir = await open(["# check=skip=all", "FROM busybox", "MAINTAINER me"]);
    const args = ["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true"];
    const { exitCode, stderr } = await client.run(["buildx", "build", ...args, dir.path]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /lint violation found for rules: MaintainerDeprecated/);
    assert.equal((await client.run(["buildx", "build", dir.path])).exitCode, 0);
  });

  test("a target tells what it may be given: arguments, secrets, agents", async () => {
    await using dir = await open([
      "ARG BASE=busybox",
      "ARG UNUSED",
      "FROM $BASE AS one",
      "# V what it is for",
      "ARG V=x",
      "ARG W",
      "RUN --mount=type=secret,id=s,required --mount=type=ssh,id=a true",
      "FROM one AS Two",
      "ARG BASE",
      "RUN --mount=type=secret,id=t true",
      "FROM busybox AS three",
    ]);
    const outline = ["build", "--call=outline", "--build-arg", "W=9", "--target", "two", dir.path];
    const wanted =
      /^TARGET: +two\n\nBUILD ARG +VALUE +DESCRIPTION *\nBASE +busybox *\nV +x +what it is for\nW +9 *\n\nSECRET +REQUIRED\ns +true\nt *\n\nSSH +REQUIRED\na *\n/;
    const { stdout, stderr } = await client.run(["buildx", ...outline]);
    // Real BuildKit tells of an own argument, then of what the stage goes on from.
    const told = stdout.replace(/\n(t *)\n(s +true)\n/, "\n$2\n$1\n");
    assert.match(told, wanted, stderr);
    if (!againstDockerd) {
      const own = await target.engine().hawser(outline);
      assert.match(own.stdout, wanted, own.stderr);
    }
    const targets = await client.run(["buildx", "build", "--call=targets", dir.path]);
    assert.match(targets.stdout, /one[^]*two[^]*three \(default\)/);
  });
});
