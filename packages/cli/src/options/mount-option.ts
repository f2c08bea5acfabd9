import { resolve } from "node:path";
import type { Mount } from "@hawser/api";
import { goQuote } from "@hawser/base";
import { parseByteSize } from "./byte-size.ts";
import { parseCsvFields, splitPair } from "./csv-fields.ts";
import { valueError } from "./value-error.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface MountParts {
  readonly mount: Writable<Mount>;
  bind?: Writable<NonNullable<Mount["BindOptions"]>>;
  volume?: Writable<NonNullable<Mount["VolumeOptions"]>>;
  image?: Writable<NonNullable<Mount["ImageOptions"]>>;
  tmpfs?: Writable<NonNullable<Mount["TmpfsOptions"]>>;
}

const switches: ReadonlySet<string> = new Set([
  "readonly",
  "ro",
  "volume-nocopy",
  "bind-nonrecursive",
  "bind-create-src",
  "idmap",
]);

/**
 * `--mount type=bind,source=/src,target=/dst[,readonly][,…]` as the engine wants it, but for sources that begin with a dot:
 * `resolveMountSource`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseMountOption(text: string): Mount {
  const value = text.trim();
  if (value === "") throw valueError("value is empty");
  const parts: MountParts = { mount: { Type: "volume" } };
  for (const field of parseCsvFields(value)) applyField(parts, field);
  return finish(parts);
}

/** A bind's source that begins with a dot is below `workingDir`. */
export function resolveMountSource(mount: Mount, workingDir: string): Mount {
  if (mount.Type !== "bind" || mount.Source?.startsWith(".") !== true) return mount;
  return { ...mount, Source: resolve(workingDir, mount.Source) };
}

function applyField(parts: MountParts, field: string): void {
  const [rawKey, rawValue] = splitPair(field);
  const key = rawKey.toLowerCase();
  if (key.trim() !== key) {
    throw valueError(`invalid option '${key.trim()}' in '${field}': option should not have whitespace`);
  }
  let value = rawValue;
  if (value === "") throw valueError(`invalid value for '${key}': value is empty`);
  if (value !== undefined && value.trim() !== value) {
    throw valueError(`invalid value for '${key}' in '${field}': value should not have whitespace`);
  }
  if (value === undefined && switches.has(key)) value = "true";
  if (value === undefined) throw valueError(`invalid field '${field}' must be a key=value pair`);
  setOption(parts, { key, value, field });
}

function setOption(
  parts: MountParts,
  option: { readonly key: string; readonly value: string; readonly field: string },
): void {
  const { key, value } = option;
  const { mount } = parts;
  const bind = () => {
    parts.bind ??= {};
    return parts.bind;
  };
  const volume = () => {
    parts.volume ??= {};
    return parts.volume;
  };
  const tmpfs = () => {
    parts.tmpfs ??= {};
    return parts.tmpfs;
  };
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase();
      return;
    case "source":
    case "src":
      mount.Source = value;
      return;
    case "target":
    case "dst":
    case "destination":
      mount.Target = value;
      return;
    case "readonly":
    case "ro":
      mount.ReadOnly = parseSwitch(key, value);
      return;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      return;
    case "bind-propagation":
      bind().Propagation = value.toLowerCase();
      return;
    case "bind-nonrecursive":
      throw valueError("bind-nonrecursive is deprecated, use bind-recursive=disabled instead");
    case "bind-create-src":
      bind().CreateMountpoint = parseSwitch(key, value);
      return;
    case "idmap":
      bind().IDMap = parseSwitch(key, value);
      return;
    case "bind-recursive":
      setRecursive(bind(), value);
      return;
    case "volume-subpath":
      volume().Subpath = value;
      return;
    case "volume-nocopy":
      volume().NoCopy = parseSwitch(key, value);
      return;
    case "volume-label":
      volume().Labels = withPair(volume().Labels ?? {}, value);
      return;
    case "volume-driver":
      volume().DriverConfig = { ...volume().DriverConfig, Name: value };
      return;
    case "volume-opt": {
      const driver = volume().DriverConfig ?? {};
      volume().DriverConfig = { ...driver, Options: withPair(driver.Options ?? {}, value) };
      return;
    }
    case "image-subpath":
      parts.image = { Subpath: value };
      return;
    case "tmpfs-size":
      tmpfs().SizeBytes = parseTmpfsSize(key, value);
      return;
    case "tmpfs-mode":
      if (!/^[0-7]{1,10}$/.test(value)) throw valueError(`invalid value for ${key}: ${value}`);
      tmpfs().Mode = Number.parseInt(value, 8);
      return;
    default:
      throw valueError(`unknown option '${key}' in '${option.field}'`);
  }
}

function parseSwitch(key: string, value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw valueError(
    `invalid value for '${key}': invalid boolean value (${goQuote(value)}): must be one of "true", "1", "false", or "0" (default "true")`,
  );
}

function setRecursive(bind: Writable<NonNullable<Mount["BindOptions"]>>, value: string): void {
  switch (value) {
    case "enabled":
      return;
    case "disabled":
      bind.NonRecursive = true;
      return;
    case "writable":
      bind.ReadOnlyNonRecursive = true;
      return;
    case "readonly":
      bind.ReadOnlyForceRecursive = true;
      return;
    default:
      throw valueError(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function parseTmpfsSize(key: string, value: string): number {
  try {
    return parseByteSize(value);
  } catch {
    throw valueError(`invalid value for ${key}: ${value}`);
  }
}

function withPair(before: Readonly<Record<string, string>>, text: string): Readonly<Record<string, string>> {
  const [key, value = ""] = splitPair(text);
  return key === "" ? before : { ...before, [key]: value };
}

function finish(parts: MountParts): Mount {
  const { mount, bind, volume, image, tmpfs } = parts;
  if (mount.Type === "") throw valueError("type is required");
  if (mount.Target === undefined) throw valueError("target is required");
  if (volume !== undefined && mount.Type !== "volume") {
    throw valueError(`cannot mix 'volume-*' options with mount type '${mount.Type}'`);
  }
  if (bind !== undefined && mount.Type !== "bind") {
    throw valueError(`cannot mix 'bind-*' options with mount type '${mount.Type}'`);
  }
  if (tmpfs !== undefined && mount.Type !== "tmpfs") {
    throw valueError(`cannot mix 'tmpfs-*' options with mount type '${mount.Type}'`);
  }
  if (image !== undefined && mount.Type !== "image") {
    throw valueError(`cannot mix 'image-*' options with mount type '${mount.Type}'`);
  }
  if (bind?.ReadOnlyNonRecursive === true && mount.ReadOnly !== true) {
    throw valueError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  }
  if (bind?.ReadOnlyForceRecursive === true) {
    if (mount.ReadOnly !== true) {
      throw valueError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    }
    if (bind.Propagation !== "rprivate") {
      throw valueError(
        "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
      );
    }
  }
  return {
    ...mount,
    ...(bind !== undefined && { BindOptions: bind }),
    ...(volume !== undefined && { VolumeOptions: { ...volume, DriverConfig: volume.DriverConfig ?? {} } }),
    ...(image !== undefined && { ImageOptions: image }),
    ...(tmpfs !== undefined && { TmpfsOptions: tmpfs }),
  };
}
