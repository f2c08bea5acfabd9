import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { TarSource } from "@hawser/base";
import { type ExecutionConfig, platformOfNode } from "@hawser/oci";
import { writeImageArchive } from "@hawser/store";
import { busyboxFiles } from "../../../tools/busybox-files.ts";
import { root } from "../../../tools/tree.ts";
import { runCommandOk } from "../../e2e/kit-process.ts";

/** An image that Dockerfiles of the corpus begin with, under the names that the public has for it. */
export interface Base {
  readonly names: readonly string[];
  /** An archive for `docker load`; the image has the first name. */
  archive(): Promise<Uint8Array>;
}

const created = new Date("2025-01-01T00:00:00Z");
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** More names that a tool of `tools/` has, which it looks at. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  npm: ["yarn", "pnpm"],
  python: ["pip"],
  mvn: ["gradle"],
  cc: ["gcc"],
  "apt-get": ["apk"],
  useradd: ["groupadd", "addgroup", "adduser"],
  bundle: ["composer"],
};

const accounts = [
  "app:x:900:900::/app:/bin/sh",
  "node:x:1000:1000::/home/node:/bin/sh",
  "gradle:x:1001:1001::/home/gradle:/bin/sh",
];

/** All of them; the roots are busybox with what stands for compilers and package programs, or with next to nothing. */
export async function listBases(): Promise<readonly Base[]> {
  const program = join(root, "build/busybox/busybox");
  const applets = (await runCommandOk([program, "--list"])).split("\n");
  const files = busyboxFiles({
    program: readFileSync(program),
    applets: applets.filter((name) => name !== "" && name !== "busybox"),
  });
  const tools = [...files, ...toolFiles()];
  const image = (
    names: readonly string[],
    entries: readonly TarSource[],
    config: Partial<ExecutionConfig>,
  ): Base => ({
    names,
    archive: () => writeBase({ name: names[0] ?? "", entries, config }),
  });
  return [
    image(["busybox:stable"], files, { cmd: ["sh"] }),
    image(["debian:bookworm-slim"], tools, { cmd: ["bash"] }),
    image(["golang:1.25-alpine", "golang:1.25"], tools, {
      env: [`${path}:/go/bin:/usr/local/go/bin`, "GOLANG_VERSION=1.25.0", "GOTOOLCHAIN=local", "GOPATH=/go"],
      workingDir: "/go",
    }),
    image(["node:24-alpine", "node:24", "node:24-slim"], tools, {
      env: [path, "NODE_VERSION=24.0.0"],
      entrypoint: ["docker-entrypoint.sh"],
      cmd: ["node"],
    }),
    image(["node:onbuild"], tools, {
      env: [path],
      workingDir: "/usr/src/app",
      onBuild: [
        "ARG NODE_ENV",
        "ENV NODE_ENV $NODE_ENV",
        "COPY package.json /usr/src/app/",
        "RUN npm install && npm cache clean --force",
        "COPY . /usr/src/app",
      ],
      cmd: ["npm", "start"],
    }),
    image(["python:3.13-slim", "ghcr.io/astral-sh/uv:0.5"], [...tools, ...uvFiles()], {
      env: [path, "LANG=C.UTF-8", "PYTHON_VERSION=3.13.0"],
      cmd: ["python3"],
    }),
    image(["eclipse-temurin:21-jdk-jammy", "eclipse-temurin:21-jre-jammy", "gradle:8-jdk21"], tools, {
      env: ["JAVA_HOME=/opt/java/openjdk", `${path}:/opt/java/openjdk/bin`],
      entrypoint: ["/__cacert_entrypoint.sh"],
      cmd: ["jshell"],
    }),
    image(["rust:1", "rust:1-alpine"], tools, {
      env: ["RUSTUP_HOME=/usr/local/rustup", "CARGO_HOME=/usr/local/cargo", path],
    }),
    image(["gcc:14"], tools, { env: [path, "GCC_VERSION=14.2.0"], cmd: ["bash"] }),
    image(["composer:2", "php:8.4-apache", "ruby:3.4.1-slim"], tools, {
      env: [path, "HOME=/root"],
      cmd: ["apache2-foreground"],
      stopSignal: "SIGWINCH",
      exposedPorts: ["80/tcp"],
      workingDir: "/var/www/html",
    }),
    image(["mcr.microsoft.com/dotnet/sdk:9.0-alpine", "mcr.microsoft.com/dotnet/aspnet:9.0-alpine"], tools, {
      env: [path, "APP_UID=1654", "HOME=/root"],
    }),
    image(["nginx:alpine", "nginx:1.27-alpine"], [...tools, ...nginxFiles()], {
      env: [path, "NGINX_VERSION=1.27.0"],
      entrypoint: ["/docker-entrypoint.sh"],
      cmd: ["nginx", "-g", "daemon off;"],
      exposedPorts: ["80/tcp"],
      stopSignal: "SIGQUIT",
      labels: { maintainer: "NGINX <nginx@example.org>" },
      healthcheck: {
        test: ["CMD-SHELL", "true"],
        intervalNs: 30e9,
        timeoutNs: 3e9,
        startPeriodNs: 0,
        startIntervalNs: 0,
        retries: 3,
      },
    }),
    image(["gcr.io/distroless/static-debian12:nonroot"], distrolessFiles(), {
      env: [path, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
      user: "65532",
      workingDir: "/home/nonroot",
    }),
  ];
}

async function writeBase({
  name,
  entries,
  config,
}: {
  readonly name: string;
  readonly entries: readonly TarSource[];
  readonly config: Partial<ExecutionConfig>;
}): Promise<Uint8Array> {
  const mtimeNs = BigInt(created.getTime()) * 1_000_000n;
  const archive = writeImageArchive({
    reference: name,
    config: {
      ...platformOfNode(process),
      created,
      execution: {
        user: "",
        exposedPorts: [],
        env: [path],
        volumes: [],
        workingDir: "/",
        labels: {},
        stopSignal: "",
        ...config,
      },
      history: [{ created, createdBy: "base", author: "", comment: "", emptyLayer: false }],
    },
    layers: [{ entries: distinct(entries).map((entry) => ({ ...entry, mtimeNs })) }],
  });
  return await buffer(Readable.from(archive));
}

const folder = (at: string, more: Partial<TarSource> = {}): TarSource => ({
  path: at,
  type: "directory",
  ...more,
});
const file = (at: string, content: string, more: Partial<TarSource> = {}): TarSource => ({
  path: at,
  type: "file",
  content: Buffer.from(content),
  ...more,
});

/** Of entries with one path the last. */
function distinct(entries: readonly TarSource[]): TarSource[] {
  return [...new Map(entries.map((entry) => [entry.path.toString(), entry])).values()];
}

function toolFiles(): TarSource[] {
  const from = join(root, "test/conformance/dockerfiles/tools");
  const tools = readdirSync(from).toSorted();
  return [
    folder("usr/local"),
    folder("usr/local/bin"),
    ...tools.flatMap((name) => [
      file(`usr/local/bin/${name}`, readFileSync(join(from, name), "utf8"), { mode: 0o755 }),
      ...(aliases[name] ?? []).map(
        (alias): TarSource => ({ path: `usr/local/bin/${alias}`, type: "symlink", linkPath: name }),
      ),
    ]),
    folder("usr/share"),
    folder("usr/share/base"),
    file("usr/share/base/capable", "may listen\n", {
      mode: 0o755,
      xattrs: new Map([
        ["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
      ]),
    }),
    file("etc/motd", "welcome\n"),
    file("etc/passwd", `${readBusyboxFile("etc/passwd")}${accounts.map((line) => `${line}\n`).join("")}`),
    file("etc/group", `${readBusyboxFile("etc/group")}app:x:900:\nnode:x:1000:\ngradle:x:1001:\n`),
    folder("home/node", { uid: 1000, gid: 1000 }),
    folder("home/gradle", { uid: 1001, gid: 1001 }),
    folder("go", { mode: 0o1777 }),
    folder("var/lib"),
  ];
}

function readBusyboxFile(at: string): string {
  const found = busyboxFiles({ program: Buffer.alloc(0), applets: [] }).find((entry) => entry.path === at);
  if (found?.content instanceof Uint8Array) return Buffer.from(found.content).toString();
  throw new Error(`busybox has no ${at}`);
}

const uvFiles = (): TarSource[] => [
  file("uv", readFileSync(join(root, "test/conformance/dockerfiles/tools/uv"), "utf8"), { mode: 0o755 }),
  { path: "uvx", type: "hardlink", linkPath: "uv", mode: 0o755 },
];

const nginxFiles = (): TarSource[] => [
  ...["etc/nginx", "etc/nginx/conf.d", "usr/share/nginx", "usr/share/nginx/html", "docker-entrypoint.d"].map(
    (at) => folder(at),
  ),
  file("etc/nginx/conf.d/default.conf", "default\n"),
  file("usr/share/nginx/html/index.html", "welcome\n"),
  file("usr/share/nginx/html/50x.html", "sorry\n"),
];

const distrolessFiles = (): TarSource[] => [
  folder("etc"),
  file(
    "etc/passwd",
    "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
  ),
  file("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
  folder("home"),
  folder("home/nonroot", { mode: 0o700, uid: 65532, gid: 65532 }),
  folder("tmp", { mode: 0o1777 }),
];
