import { ociFaults } from "./oci-faults.ts";

/** Where an image runs, in Go's words (`linux`, `amd64`, `arm64` with variant `v8`). image-spec, index, `platform`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** As containerd has them, whose words they are in. A version of the system, in parentheses, is for Windows. */
const systemShape = String.raw`^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$`;
const partShape = "^[A-Za-z0-9_.-]+$";

/**
 * `linux/arm64/v8`, `linux/amd64`, or one word, which is an operating system or an architecture; what is left out comes
 * from `host`. Other tools' names (`x86_64`, `aarch64`) are understood.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parsePlatform(text: string, host: Platform): Platform {
  if (text.includes("*")) throw ociFaults.PLATFORM_INVALID(text, "wildcards not yet supported");
  const parts = text.split("/");
  const [first = "", second, third] = parts;
  for (const [at, part] of parts.slice(0, 3).entries()) {
    const shape = at === 0 ? systemShape : partShape;
    if (!new RegExp(shape).test(part))
      throw ociFaults.PLATFORM_PART(part, text, { shape, ofSystem: at === 0 });
  }
  if (first.includes("(")) throw ociFaults.PLATFORM_INVALID(text, "unknown operating system or architecture");
  if (parts.length > 3) throw ociFaults.PLATFORM_INVALID(text, "cannot parse platform specifier");
  if (second === undefined) {
    if (knownSystems.has(first.toLowerCase())) return { ...host, os: first.toLowerCase() };
    const machine = normalizeArchitecture(first);
    if (!knownArchitectures.has(machine.architecture))
      throw ociFaults.PLATFORM_INVALID(text, "unknown operating system or architecture");
    return { os: host.os, ...machine };
  }
  return { os: first.toLowerCase(), ...normalizeArchitecture(second, third) };
}

/** What is not said is left out. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join("/");
}

/** The machine that Node runs on (`process.platform`, `process.arch`). */
export function platformOfNode(node: { readonly platform: string; readonly arch: string }): Platform {
  return { os: node.platform, ...normalizeArchitecture(node.arch === "ia32" ? "386" : node.arch) };
}

/** Whether an image made for `image` is what `wanted` asks for: v8 is what arm64 is without saying, v7 arm. */
export function platformsMatch(wanted: Platform, image: Platform): boolean {
  const a = normalizeArchitecture(wanted.architecture, wanted.variant);
  const b = normalizeArchitecture(image.architecture, image.variant);
  return wanted.os === image.os && a.architecture === b.architecture && a.variant === b.variant;
}

const knownSystems = new Set([
  "linux",
  "darwin",
  "windows",
  "freebsd",
  "netbsd",
  "openbsd",
  "solaris",
  "wasip1",
]);

const knownArchitectures = new Set(
  "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm".split(" "),
);

function normalizeArchitecture(name: string, variant?: string): Omit<Platform, "os"> {
  const lower = name.toLowerCase();
  const kind = variant?.toLowerCase();
  switch (lower) {
    case "i386":
      return { architecture: "386" };
    case "x86_64":
    case "x86-64":
    case "x64":
    case "amd64":
      return kind === undefined || kind === "v1"
        ? { architecture: "amd64" }
        : { architecture: "amd64", variant: kind };
    case "aarch64":
    case "arm64":
      return kind === undefined || kind === "8" || kind === "v8"
        ? { architecture: "arm64" }
        : { architecture: "arm64", variant: kind };
    case "armhf":
      return { architecture: "arm", variant: "v7" };
    case "armel":
      return { architecture: "arm", variant: "v6" };
    case "arm":
      return { architecture: "arm", variant: kind === undefined ? "v7" : kind.replace(/^(?=[0-9])/, "v") };
    default:
      return kind === undefined ? { architecture: lower } : { architecture: lower, variant: kind };
  }
}
