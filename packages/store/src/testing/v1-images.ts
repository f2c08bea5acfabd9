import { type TarSource, writeTar } from "@hawser/base";
import { file, folder } from "./unpack.ts";

/** The `json` of an image as Docker 1.6 wrote it, and with what it did not write. */
export function v1Json(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    created: "2014-10-01T20:46:07.263351910Z",
    container: "e".repeat(64),
    container_config: {
      Hostname: "h",
      Memory: 0,
      PortSpecs: null,
      Cmd: ["/bin/sh", "-c", "#(nop) <x> & 'y'"],
      NetworkDisabled: false,
      MacAddress: "",
      OnBuild: [],
    },
    docker_version: "1.6.2",
    author: "me <me@x>",
    config: {
      Hostname: "h",
      User: "u",
      Env: ["PATH=/bin", "é=\u2028"],
      Cmd: "echo hi",
      ExposedPorts: { "9/udp": {}, "80/tcp": {} },
      Volumes: { "/v": {} },
      Labels: { b: "1", a: "2" },
      Healthcheck: { Test: ["NONE"], Interval: 5 },
      Unknown: 3,
    },
    architecture: "amd64",
    os: "linux",
    checksum: "x",
    Size: 7,
    ...change,
  });
}

/** An archive as Docker before 1.10 saved it: folders by their ids, and what `repositories` says, unless nothing. */
export function v1Archive(
  images: Readonly<Record<string, { readonly json: string; readonly layer?: Uint8Array }>>,
  repositories: unknown = {},
): AsyncIterable<Uint8Array> {
  const folders = Object.entries(images).flatMap(
    ([id, { json, layer = Buffer.alloc(1024) }]): TarSource[] => [
      folder(`${id}/`),
      file(`${id}/VERSION`, "1.0"),
      file(`${id}/json`, json),
      file(`${id}/layer.tar`, "", { content: layer }),
    ],
  );
  return writeTar([...folders, file("repositories", JSON.stringify(repositories))]);
}
