import { protocolFaults } from "./faults.ts";

/** What a client wants to be told of how a result was made. */
export interface AttestationRequests {
  readonly provenance?: ProvenanceRequest;
  readonly sbom?: SbomRequest;
}

/** Of what, by whom and how: https://slsa.dev/spec/v1.0/provenance */
export interface ProvenanceRequest {
  /** `max`: the values of build arguments, the source and its steps, too. */
  readonly mode: "min" | "max";
  /** Of the predicate. */
  readonly version: "v0.2" | "v1";
  /** What the client says of the builder. */
  readonly builderId: string;
  /** The client says that the build gives the same result again. */
  readonly isReproducible: boolean;
  /** Whatever was used must be known by its digest. */
  readonly needsAll: boolean;
  /** In a folder of results. */
  readonly filename: string;
}

/** What is in a result, by a program that looks at its files. */
export interface SbomRequest {
  /** Image of the program. */
  readonly generator: string;
  /** What it is told, by the names after `BUILDKIT_SCAN_`. */
  readonly parameters: Readonly<Record<string, string>>;
}

const defaultGenerator = "docker/buildkit-syft-scanner:stable-1";

/**
 * What a client asks for by `attest:<type>`, or by the build argument `BUILDKIT_ATTEST_<TYPE>`. `inline-only` is what buildx says
 * when its user has said nothing: that is no wish.
 *
 * @throws {Fault} `invalid-argument`, `not-implemented` for what would not be heeded
 */
export function readAttestations(attributes: Readonly<Record<string, string>>): AttestationRequests {
  const asked = new Map<string, ReadonlyMap<string, string>>();
  for (const [name, text] of Object.entries(attributes)) {
    const type = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.+)$/.exec(name)?.[1]?.toLowerCase();
    if (type === undefined) continue;
    if (type !== "provenance" && type !== "sbom") {
      throw protocolFaults.FRONTEND_FAILED(`unknown attestation type ${JSON.stringify(type)}`);
    }
    const fields = readFields(text);
    if (!truth(fields, "disabled") && !truth(fields, "inline-only")) asked.set(type, fields);
  }
  const provenance = asked.get("provenance");
  const sbom = asked.get("sbom");
  return {
    ...(provenance && { provenance: readProvenance(provenance) }),
    ...(sbom && { sbom: readSbom(sbom) }),
  };
}

const ofProvenance = ["mode", "version", "builder-id", "reproducible", "complete-materials", "filename"];
const ofAll = ["type", "disabled", "inline-only"];

function readProvenance(fields: ReadonlyMap<string, string>): ProvenanceRequest {
  for (const [name, value] of fields) {
    if (ofProvenance.includes(name) || ofAll.includes(name) || value === "false") continue;
    throw protocolFaults.CALL_UNKNOWN(`the attribute ${JSON.stringify(name)} of provenance`);
  }
  const { mode, version, filename } = {
    mode: fields.get("mode") || "max",
    version: fields.get("version") || "v0.2",
    filename: fields.get("filename") || "provenance.json",
  };
  if (mode !== "min" && mode !== "max" && mode !== "full") {
    throw protocolFaults.FRONTEND_FAILED(`invalid mode ${JSON.stringify(mode)} of provenance`);
  }
  if (version !== "v0.2" && version !== "v1") {
    throw protocolFaults.FRONTEND_FAILED(`invalid provenance SLSA version: ${version}`);
  }
  return {
    mode: mode === "min" ? "min" : "max",
    version,
    builderId: fields.get("builder-id") ?? "",
    isReproducible: truth(fields, "reproducible"),
    needsAll: truth(fields, "complete-materials"),
    filename: fileName(filename),
  };
}

function readSbom(fields: ReadonlyMap<string, string>): SbomRequest {
  const parameters = [...fields].filter(([name]) => name !== "generator" && !ofAll.includes(name));
  for (const [name] of parameters) {
    if (/^[A-Za-z0-9_-]+$/.test(name)) continue;
    throw protocolFaults.FRONTEND_FAILED(`invalid parameter ${JSON.stringify(name)} of an SBOM generator`);
  }
  return {
    generator: fields.get("generator") || defaultGenerator,
    parameters: Object.fromEntries(parameters),
  };
}

/** As BuildKit, of a path its last part. */
function fileName(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "" || name === "." || name === "..") {
    throw protocolFaults.FRONTEND_FAILED(`invalid filename ${JSON.stringify(path)} of provenance`);
  }
  return name;
}

function truth(fields: ReadonlyMap<string, string>, name: string): boolean {
  const text = fields.get(name);
  if (text === undefined || /^(0|f|false)$/i.test(text)) return false;
  if (/^(|1|t|true)$/i.test(text)) return true;
  throw protocolFaults.FRONTEND_FAILED(`invalid ${name} ${JSON.stringify(text)} of an attestation`);
}

/** A line of RFC 4180: `a=b,"c=d,e"`. */
function readFields(text: string): ReadonlyMap<string, string> {
  const fields = [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = ""]) => quoted?.replaceAll('""', '"') ?? plain,
  );
  return new Map(
    fields.flatMap((field): [string, string][] => {
      const at = field.indexOf("=");
      const [name, value] = at < 0 ? [field, ""] : [field.slice(0, at), field.slice(at + 1)];
      return name === "" ? [] : [[name, value]];
    }),
  );
}
