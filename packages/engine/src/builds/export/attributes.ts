import { parseGoBool } from "@hawser/base";
import type { LayerCompression, LayerEncoding } from "@hawser/store";
import { buildFaults } from "../faults.ts";

type Attributes = Readonly<Record<string, string>>;

/** As Go reads a truth; empty: `byDefault`. @throws {Fault} `invalid-argument` */
export function readTruth(attributes: Attributes, name: string, byDefault: boolean): boolean {
  const text = attributes[name];
  if (text === undefined) return byDefault;
  const truth = text === "" ? true : parseGoBool(text);
  if (truth === undefined) throw buildFaults.ATTRIBUTE_INVALID(name, text, "true or false");
  return truth;
}

const levels = { gzip: [0, 9], zstd: [1, 22], uncompressed: [0, 0] } as const;

/** `compression`, `compression-level`, `force-compression`. @throws {Fault} `invalid-argument` */
export function readLayerEncoding(attributes: Attributes): LayerEncoding {
  const { compression = "gzip", "compression-level": level } = attributes;
  if (!isCompression(compression)) {
    throw buildFaults.ATTRIBUTE_INVALID("compression", compression, "gzip, zstd or uncompressed");
  }
  const force = readTruth(attributes, "force-compression", false);
  if (level === undefined || level === "") return { compression, force };
  const [low, high] = levels[compression];
  const number = /^\d{1,2}$/.test(level) ? Number(level) : -1;
  if (compression !== "uncompressed" && (number < low || number > high)) {
    throw buildFaults.ATTRIBUTE_INVALID("compression-level", level, `${low} to ${high} for ${compression}`);
  }
  return { compression, force, level: number };
}

function isCompression(text: string): text is LayerCompression {
  return Object.hasOwn(levels, text);
}
