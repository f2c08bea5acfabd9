import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "./kit-process.ts";

/**
 * Give a root file system this host's way to package registries: name servers, certificates, and what apt and npm are
 * configured with. Nothing is named here: it is whatever this host has.
 */
export async function copyRegistryAccess(folder: string): Promise<void> {
  await writeFile(join(folder, "etc/resolv.conf"), await nameServers());
  await copyInto(folder, "/etc/hosts");
  await copyInto(folder, "/etc/ssl/certs/ca-certificates.crt");

  const apt = await runCommand(["apt-config", "dump", "--format", '%f "%v";%n', "Acquire"]);
  if (apt.exitCode === 0) await writeFile(join(folder, "etc/apt/apt.conf.d/99host"), apt.stdout);

  const npm = await runCommand(["npm", "config", "list", "--long", "--json"]);
  if (npm.exitCode !== 0) return;
  const config = JSON.parse(npm.stdout) as Record<string, unknown>;
  const files = ["globalconfig", "userconfig"].map((key) => config[key]).filter(isExistingFile);
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  await writeFile(join(folder, "root/.npmrc"), texts.join("\n"), { mode: 0o600 });
  if (isExistingFile(config["cafile"])) await copyInto(folder, config["cafile"]);
}

/** `resolv.conf` with servers that another network namespace can reach: a resolver on loopback is not one. */
async function nameServers(): Promise<string> {
  for (const path of ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]) {
    if (!existsSync(path)) continue;
    const lines = (await readFile(path, "utf8"))
      .split("\n")
      .filter((line) => !/^nameserver\s+127\./.test(line));
    if (lines.some((line) => line.startsWith("nameserver"))) return `${lines.join("\n")}\n`;
  }
  throw new Error("Cannot find a name server that is not on this host's loopback");
}

async function copyInto(folder: string, path: string): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(path, target);
}

function isExistingFile(path: unknown): path is string {
  return typeof path === "string" && existsSync(path);
}
