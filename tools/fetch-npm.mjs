// fetch-npm.mjs <folder>: npm as the npm registry has it, for a system without one. Debian's own comes with three hundred packages. Runs on
// Node >= 18, before there is anything else: node's own modules, tar(1).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

// The newest that runs on Node 18.
const version = "10.9.9";
const integrity =
  "sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==";

const [, , folder = ""] = process.argv;
const address = `${registry().replace(/\/$/, "")}/npm/-/npm-${version}.tgz`;
const response = await fetch(address, { signal: AbortSignal.timeout(120_000) });
if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
const archive = Buffer.from(await response.arrayBuffer());
const found = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
if (found !== integrity) throw new Error(`${address} is not the npm ${version} that is wanted: ${found}`);

const part = `${folder}.part`;
rmSync(part, { recursive: true, force: true });
mkdirSync(join(part, "bin"), { recursive: true });
const unpacked = spawnSync("tar", ["-xzf", "-", "-C", part], { input: archive, stdio: ["pipe", "inherit", "inherit"] });
if (unpacked.status !== 0) throw new Error("tar cannot unpack it");
const start = '#!/bin/sh\nexec node "$(dirname -- "$0")/../package/bin/npm-cli.js" "$@"\n';
writeFileSync(join(part, "bin/npm"), start);
chmodSync(join(part, "bin/npm"), 0o755);
rmSync(folder, { recursive: true, force: true });
renameSync(part, folder);

/** Where npm would look for packages; what it knows beyond that (a login, a proxy) is for the system's own npm. */
function registry() {
  const named = process.env.npm_config_registry ?? process.env.NPM_CONFIG_REGISTRY;
  return named ?? configured(join(homedir(), ".npmrc")) ?? "https://registry.npmjs.org/";
}

function configured(file) {
  try {
    return /^\s*registry\s*=\s*(\S+)/m.exec(readFileSync(file, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
