import { spawnSync } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TarSource } from "@hawser/base";
import { type ExecutionConfig, platformOfNode } from "@hawser/oci";
import { writeImageArchive } from "@hawser/store";
import { busyboxFiles } from "./busybox-files.ts";
import { root } from "./tree.ts";

/**
 * Makes build/images/{hello-world,busybox}.tar, the images that run where no registry answers: from build/native/hello and
 * build/busybox/busybox, which the set-up has made before. The label `io.hawser.builtin` tells them from a registry's.
 */
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

mkdirSync(join(root, "build/images"), { recursive: true });

const hello = join(root, "build/native/hello");
await writeImage("hello-world", {
  program: hello,
  cmd: ["/hello"],
  entries: [{ path: "hello", type: "file", mode: 0o755, content: readFileSync(hello) }],
});

const busybox = join(root, "build/busybox/busybox");
await writeImage("busybox", {
  program: busybox,
  cmd: ["sh"],
  entries: busyboxFiles({ program: readFileSync(busybox), applets: listApplets(busybox) }),
});

async function writeImage(
  name: string,
  image: {
    /** Its date is the image's. */
    readonly program: string;
    readonly cmd: readonly string[];
    readonly entries: readonly TarSource[];
  },
): Promise<void> {
  const created = statSync(image.program).mtime;
  const mtimeNs = BigInt(Math.floor(created.getTime() / 1000)) * 1_000_000_000n;
  const execution: ExecutionConfig = {
    user: "",
    exposedPorts: [],
    env: [path],
    cmd: image.cmd,
    volumes: [],
    workingDir: "/",
    labels: { "io.hawser.builtin": "true" },
    stopSignal: "",
  };
  const archive = writeImageArchive({
    reference: `${name}:latest`,
    config: {
      ...platformOfNode(process),
      created,
      execution,
      history: [{ created, createdBy: "tools/build-images.ts", author: "", comment: "", emptyLayer: false }],
    },
    layers: [{ entries: image.entries.map((entry) => ({ ...entry, mtimeNs })) }],
  });
  const target = join(root, "build/images", `${name}.tar`);
  await pipeline(Readable.from(archive), createWriteStream(`${target}.part`));
  renameSync(`${target}.part`, target);
  console.log(`${target}: ${statSync(target).size} bytes`);
}

function listApplets(program: string): string[] {
  const { status, stdout, error } = spawnSync(program, ["--list"], { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`Cannot list busybox's applets: exit code ${status}`);
  return stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
}
