import assert from "node:assert/strict";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { clients, runClient, useTarget } from "./kit-target.ts";

const target = useTarget();

for (const client of clients) {
  // Docker's clients: the classic way, which needs no plugin. Ours tells of its steps as BuildKit does.
  const isOwn = client.name === "hawser";
  const idIn = (text: string) =>
    (isOwn ? /writing image sha256:([0-9a-f]{12})/ : /Successfully built ([0-9a-f]{12})/).exec(text)?.[1] ??
    "";
  describe(`build, by ${client.name}`, () => {
    const call = (args: readonly string[], input?: string) =>
      runClient(target, client, {
        args,
        ...(input !== undefined && { input }),
      });
    const context = async (files: Readonly<Record<string, string>>) => {
      const dir = await openTempDir();
      for (const [name, text] of Object.entries(files)) {
        await mkdir(join(dir.path, name, ".."), { recursive: true });
        await writeFile(join(dir.path, name), text);
      }
      return dir;
    };
    const ok = async (...args: string[]) => {
      const result = await call(args);
      assert.equal(result.exitCode, 0, `${args.join(" ")}\n${result.stdout}\n${result.stderr}`);
      return args.includes("-q") ? result.stdout : `${result.stdout}${result.stderr}`;
    };

    test("a Dockerfile from outside the context, beside ignored files", async () => {
      await using dir = await context({ a: "a\n", ignored: "x", ".dockerignore": "ignored\n" });
      await using elsewhere = await context({ Recipe: "FROM busybox\nCOPY . /files\nCMD ls /files\n" });
      await ok("build", "-t", "outside", "-f", join(elsewhere.path, "Recipe"), dir.path);
      assert.equal(await target.ok("run", "--rm", "outside"), "a\n");
    });

    if (!isOwn) {
      test("an image may be meant by how its id begins, as for no other builder", async () => {
        const id = (await target.ok("inspect", "-f", "{{.Id}}", "busybox")).replace(/^sha256:/, "").trim();
        await using dir = await context({ Dockerfile: `FROM ${id.slice(0, 8)}\nLABEL by=id\n` });
        assert.match(await ok("build", dir.path), /Successfully built/);
      });
    }

    test("RUN, COPY, ENV, ARG, WORKDIR, CMD make an image; a second build is the first", async () => {
      await using dir = await context({
        Dockerfile: `ARG TAG=latest
FROM busybox:$TAG
ARG who=nobody
ENV GREETING="hello $who"
WORKDIR /app
COPY one two/ ./files/
RUN echo "$GREETING" > greeting && id -u >> greeting && rm files/gone
USER 1000
CMD ["cat", "/app/greeting", "/app/files/one"]
`,
        one: "1\n",
        "two/inner": "inner",
        "two/gone": "x",
        ".dockerignore": "ignored\n",
        ignored: "x",
      });
      const first = await ok("build", "-t", "app:1", "--build-arg", "who=world", dir.path);
      assert.match(first, isOwn ? /\[4\/4\] RUN echo "\$GREETING"/ : /Step 6\/8 : RUN echo "\$GREETING"/);
      assert.match(first, isOwn ? /naming to docker.io\/library\/app:1/ : /Successfully tagged app:1/);
      assert.equal(await target.ok("run", "--rm", "app:1"), "hello world\n0\n1\n");
      const listed = await target.ok("run", "--rm", "app:1", "ls", "-ln", "/app/files", "/app");
      assert.doesNotMatch(listed, /gone|ignored/);
      const id = idIn(first);
      assert.notEqual(id, "");
      const second = await ok("build", "-t", "app:2", "--build-arg", "who=world", dir.path);
      assert.equal(idIn(second), id);
      assert.equal(second.match(isOwn ? /CACHED/g : /Using cache/g)?.length, 3);
      const third = await ok("build", "--no-cache", "-q", "--build-arg", "who=world", dir.path);
      assert.match(third, new RegExp(`^sha256:${id}`));
      await target.ok("rmi", "app:1", "app:2");
    });

    test("a folder that changes from build to build gives what is in it now", async () => {
      await using dir = await context({
        Dockerfile: "FROM busybox\nCOPY . /all\n",
        ".dockerignore": "Dockerfile\n.dockerignore\nskipped\n!skipped/kept\n",
        "a/one": "1",
        "a/two": "2",
        "skipped/kept": "k",
        "skipped/lost": "l",
      });
      await symlink("/etc/passwd", join(dir.path, "link"));
      const files = async () => {
        await ok("build", "-q", "-t", "changing:1", dir.path);
        const listed = await target.ok(
          "run",
          "--rm",
          "changing:1",
          "sh",
          "-c",
          "cd /all && find . -type f | sort | xargs grep ''; readlink link",
        );
        return listed.trim().split("\n");
      };
      const kept = ["./skipped/kept:k", "/etc/passwd"];
      assert.deepEqual(await files(), ["./a/one:1", "./a/two:2", ...kept]);
      assert.deepEqual(await files(), ["./a/one:1", "./a/two:2", ...kept]);
      await writeFile(join(dir.path, "a/two"), "3");
      await writeFile(join(dir.path, "new"), "n");
      assert.deepEqual(await files(), ["./a/one:1", "./a/two:3", "./new:n", ...kept]);
      await rm(join(dir.path, "a"), { recursive: true });
      await writeFile(join(dir.path, "a"), "now a file");
      assert.deepEqual(await files(), ["./a:now a file", "./new:n", ...kept]);
      await target.ok("rmi", "changing:1");
    });

    test("stages, --target, --from, links, owners, modes", async () => {
      await using dir = await context({
        Dockerfile: `FROM busybox AS base
RUN echo worker:x:1234:1234::/:/bin/sh >> /etc/passwd && echo worker:x:1234: >> /etc/group
RUN mkdir /out && echo made > /out/made && ln -s made /out/link
FROM scratch AS none
COPY --from=base /out /
FROM base AS last
COPY --chown=worker --chmod=640 plain /data/
COPY --from=base /out/* /copied/
COPY --from=none /made /from-none
COPY ["with space", "/data/with space"]
ADD packed.txt /data/
`,
        plain: "p",
        "with space": "s",
        "packed.txt": "no archive",
      });
      await chmod(join(dir.path, "plain"), 0o755);
      await symlink("plain", join(dir.path, "link"));
      await ok("build", "-t", "stages", dir.path);
      const look =
        "cd /data && stat -c '%n %U:%G %a' plain && cat 'with space' packed.txt && cat /copied/link && cat /from-none";
      assert.equal(
        await target.ok("run", "--rm", "stages", "sh", "-c", look),
        "plain worker:worker 640\nsno archivemade\nmade\n",
      );
      await ok("build", "--target", "none", "-t", "none", dir.path);
      assert.equal(await target.ok("image", "inspect", "-f", "{{len .RootFS.Layers}}", "none"), "1\n");
      const failed = await call(["build", "--target", "missing", dir.path]);
      assert.notEqual(failed.exitCode, 0);
      assert.match(failed.stderr, /target stage "missing" could not be found/);
      await target.ok("rmi", "stages", "none");
    });

    test("what fails says where, and leaves nothing", async () => {
      const before = await target.ok("ps", "-aq");
      const refused = async (dockerfile: string) => {
        await using dir = await context({ Dockerfile: dockerfile });
        const result = await call(["build", dir.path]);
        assert.notEqual(result.exitCode, 0, dockerfile);
        return result.stderr;
      };
      const failed = await refused("FROM busybox\n# before\nRUN echo no >&2; exit 3\n");
      assert.match(
        failed,
        isOwn ? /did not complete successfully: exit code: 3/ : /returned a non-zero code: 3/,
      );
      assert.match(failed, /Dockerfile:3\n[^]* {3}3 \| >>> RUN echo no/);
      for (const path of ["nothing", "../../etc/nothing"]) {
        const missing = isOwn
          ? /checksum of ref \S+: "\/\S*nothing": not found/
          : /not found in build context/;
        assert.match(await refused(`FROM busybox\nCOPY ${path} /\n`), missing);
      }
      assert.match(await refused("FROM busybox\nNONSENSE\n"), /unknown instruction: NONSENSE/);
      assert.match(await refused("FROM no-such-image-here\n"), /no-such-image-here/);
      const secret = "FROM busybox\nRUN --mount=type=secret,id=x,required=true true\n";
      assert.match(await refused(secret), /secret x: not found/);
      assert.equal(await target.ok("ps", "-aq"), before);
    });

    test("texts in the Dockerfile, caches and other mounts", async () => {
      await using dir = await context({
        Dockerfile: `FROM busybox
ENV SET=x
COPY <<EOF <<"RAW" /texts/
value \${SET:+set}
EOF
value $PATH
RAW
RUN <<EOF
set -e
echo one > /ran
echo two >> /ran
EOF
RUN --mount=type=cache,id=${client.name.replaceAll(/\W/g, "")},target=/cache --mount=type=tmpfs,target=/t --mount=type=bind,source=part,target=/part cat /part/file >> /cache/list; wc -l < /cache/list > /count
`,
        "part/file": "line\n",
      });
      await ok("build", "-t", "texts", dir.path);
      assert.equal(
        await target.ok("run", "--rm", "texts", "cat", "/texts/EOF", "/texts/RAW", "/ran"),
        "value set\nvalue $PATH\none\ntwo\n",
      );
      const counted = Number(await target.ok("run", "--rm", "texts", "cat", "/count"));
      await ok("build", "--no-cache", "-t", "texts", dir.path);
      assert.equal(Number(await target.ok("run", "--rm", "texts", "cat", "/count")), counted + 1);
      assert.match(
        await target.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}}"),
        /Build Cache [1-9]/,
      );
      await target.ok("rmi", "texts");
    });
  });
}
