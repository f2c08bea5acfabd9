import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { formatTarHeader, type TarSource } from "@hawser/base";

interface Member extends Partial<TarSource> {
  readonly text?: string | Buffer;
}

/** An archive of files with these texts, and of whatever else members say. */
export function archive(members: Readonly<Record<string, Member>>): Buffer {
  const blocks = Object.entries(members).flatMap(([path, { text = "", ...rest }]) => {
    const content = Buffer.from(text as string);
    const entry: TarSource = { path, type: "file", mode: 0o644, content, ...rest };
    return [formatTarHeader(entry), content, Buffer.alloc(-content.length & 511)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export const gzipped = (bytes: Buffer): Buffer => gzipSync(bytes);

const digestOf = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

/** An image of one file, as `docker save` has it. */
export function savedImage(
  tag: string,
  options: { readonly lies?: boolean; readonly config?: object } = {},
): Buffer {
  const layer = archive({ "from-an-archive": { text: "here\n" } });
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    created: "2020-01-01T00:00:00Z",
    config: { Cmd: ["/from-an-archive"], Env: ["A=b"], Labels: { a: "b" }, ...options.config },
    history: [{ created: "2020-01-01T00:00:00Z", created_by: "by hand", comment: "c" }],
    rootfs: { type: "layers", diff_ids: [`sha256:${digestOf(options.lies === true ? "another" : layer)}`] },
  });
  const manifest = [{ Config: `${digestOf(config)}.json`, RepoTags: [tag], Layers: ["one/layer.tar"] }];
  return archive({
    "one/layer.tar": { text: layer },
    [`${digestOf(config)}.json`]: { text: config },
    "manifest.json": { text: JSON.stringify(manifest) },
  });
}

/**
 * An image of two steps as `docker save` before 1.10 had it.
 *
 * @param options.parent of the lower one
 */
export function savedV1Image(
  repositories: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined,
  options: { readonly parent?: string } = {},
): Buffer {
  const json = (parent: string | undefined) =>
    JSON.stringify({
      created: "2014-10-01T20:46:07.26335191Z",
      container_config: { Cmd: ["/bin/sh", "-c", "#(nop) ADD file:<a> in /"] },
      docker_version: "1.6.2",
      author: "me <me@example.org>",
      config: {
        Cmd: ["/from-an-archive"],
        Env: ["A=b"],
        Labels: { old: "yes" },
        ExposedPorts: { "80/tcp": {} },
      },
      architecture: "amd64",
      os: "linux",
      parent,
    });
  const layer = archive({ "from-an-archive": { text: "here\n" } });
  return archive({
    "lower/VERSION": { text: "1.0" },
    "lower/json": { text: json(options.parent) },
    "lower/layer.tar": { text: layer },
    "upper/VERSION": { text: "1.0" },
    "upper/json": { text: json("lower") },
    "upper/layer.tar": { text: archive({ ".wh.from-an-archive": {}, other: { text: "there\n" } }) },
    ...(repositories && { repositories: { text: JSON.stringify(repositories) } }),
  });
}
