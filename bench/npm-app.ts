import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommandOk } from "../test/e2e/kit-process.ts";
import { root } from "../tools/tree.ts";

/** Packages of this repository that the application needs: to run, and to be built. */
const needed = { dependencies: ["dockerode", "yargs"], devDependencies: ["esbuild"] } as const;

/** A package of a lock file, `node_modules/a/node_modules/b` being its place. */
interface LockedPackage {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Packages = Readonly<Record<string, LockedPackage>>;

/**
 * Write a Node application in three stages below `folder` (all packages and a bundle; the packages that it runs with; the result), and
 * below `mirror` the packages that its lock file names, as archives made of those that are installed here.
 *
 * @param address where `mirror` is served
 */
export async function writeNpmApp(
  folder: string,
  { mirror, address }: { readonly mirror: string; readonly address: string },
): Promise<{ setVersion(version: string): Promise<void> }> {
  const { packages } = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Packages;
  };
  const running = closureOf(packages, needed.dependencies);
  const all = closureOf(packages, [...needed.dependencies, ...needed.devDependencies]);
  const locked: Record<string, object> = {};
  for (const place of all) {
    const { dev: _, ...known } = packages[place] as LockedPackage & { readonly dev?: boolean };
    const name = place.replace(/^.*node_modules\//, "");
    const file = `${name.replace("/", "-")}-${known.version}.tgz`;
    locked[place] = {
      ...known,
      resolved: `${address}/${file}`,
      // Packages for other machines are not here, and not asked for.
      ...(existsSync(join(root, place)) && { integrity: await pack(join(root, place), join(mirror, file)) }),
      ...(!running.has(place) && { dev: true }),
    };
  }
  const versionsOf = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, packages[`node_modules/${name}`]?.version ?? ""]));
  const app = {
    dependencies: versionsOf(needed.dependencies),
    devDependencies: versionsOf(needed.devDependencies),
  };
  await mkdir(join(folder, "src"), { recursive: true });
  await writeFile(join(folder, "src/main.ts"), program);
  await writeFile(join(folder, "Dockerfile"), dockerfile);
  const settings = [
    "audit=false",
    "fund=false",
    "update-notifier=false",
    "ignore-scripts=true",
    `registry=${address}/`,
  ];
  await writeFile(join(folder, ".npmrc"), `${settings.join("\n")}\n`);
  return {
    async setVersion(version) {
      const own = { name: "app", version, type: "module", ...app };
      const lock = { name: "app", version, lockfileVersion: 3, packages: { "": own, ...locked } };
      await writeFile(join(folder, "package.json"), JSON.stringify(own, undefined, 2));
      await writeFile(join(folder, "package-lock.json"), JSON.stringify(lock, undefined, 2));
    },
  };
}

const program = `${needed.dependencies.map((name) => `import ${name} from "${name}";\n`).join("")}
const { image } = yargs(process.argv.slice(2)).option("image", { type: "string", default: "none" }).parseSync();
console.log(typeof dockerode, image);
`;

const dockerfile = `FROM node-base AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM base AS build
RUN npm ci
COPY src src
RUN node_modules/.bin/esbuild src/main.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/main.js

FROM base AS dependencies
RUN npm ci --omit=dev

FROM base
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN node dist/main.js --image=built
CMD ["node", "dist/main.js"]
`;

/** The places of packages and of all that they need, as Node looks for them. */
function closureOf(packages: Packages, names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (from: string, name: string): void => {
    const place = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
    const known = packages[place];
    if (known === undefined) {
      if (from !== "") add(from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))), name);
    } else if (!found.has(place)) {
      found.add(place);
      const wanted = { ...known.dependencies, ...known.optionalDependencies };
      for (const dependency of Object.keys(wanted)) add(place, dependency);
    }
  };
  for (const name of names) add("", name);
  return found;
}

/** @returns the archive's integrity, as lock files have it */
async function pack(folder: string, archive: string): Promise<string> {
  const files = ["--exclude=./node_modules", "--transform=s,^\\.,package,", "."];
  await runCommandOk(["tar", "-C", folder, "-czf", archive, ...files]);
  return `sha512-${createHash("sha512")
    .update(await readFile(archive))
    .digest("base64")}`;
}

/** An archive of a root file system with this machine's Node and npm in it, and a shell. */
export async function makeNodeBase(dir: string): Promise<string> {
  const tree = join(dir, "node-base");
  const node = join(root, `node_modules/node-linux-${process.arch}/bin/node`);
  const npm = dirname(await realpath((await runCommandOk(["which", "npm"])).trim())).replace(/\/bin$/, "");
  for (const name of ["bin", "usr/bin", "usr/lib", "dev", "etc", "proc", "sys", "run", "tmp", "root"])
    await mkdir(join(tree, name), { recursive: true });
  await cp(join(root, "build/busybox/busybox"), join(tree, "bin/busybox"));
  for (const applet of ["sh", "env", "cat", "true"]) await symlink("busybox", join(tree, "bin", applet));
  await symlink("/bin/env", join(tree, "usr/bin/env"));
  await cp(node, join(tree, "usr/bin/node"));
  await cp(npm, join(tree, "usr/lib/npm"), { recursive: true });
  await symlink("../lib/npm/bin/npm-cli.js", join(tree, "usr/bin/npm"));
  await writeFile(join(tree, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  const libraries = (await runCommandOk(["ldd", node])).match(/\/\S+/g) ?? [];
  for (const library of libraries) {
    await mkdir(join(tree, dirname(library)), { recursive: true });
    await cp(library, join(tree, library), { dereference: true });
  }
  await runCommandOk(["tar", "-C", tree, "-cf", `${tree}.tar`, "."]);
  return `${tree}.tar`;
}
