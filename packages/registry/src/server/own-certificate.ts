import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { isIP, isIPv4 } from "node:net";
import { join } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import { serverFaults } from "./faults.ts";

export interface OwnCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Where the certificate is, for those who are to trust it. */
  readonly path: string;
  /** SHA-256, as clients show it. */
  readonly fingerprint: string;
}

const lifeMs = 10 * 365 * 24 * 3_600_000;
const renewMs = 30 * 24 * 3_600_000;

/**
 * The certificate that a registry has made for itself: made once and kept, `tls/certificate.pem` and `tls/key.pem`. Another one is made
 * when it is about to expire, or is not for all of `names`.
 *
 * @param options.names host names and addresses that it must be for
 * @param options.localNames what else it is for when it is made
 */
export async function openOwnCertificate(
  folder: string,
  options: {
    readonly names: readonly string[];
    readonly localNames: readonly string[];
    readonly nowMs: number;
  },
): Promise<OwnCertificate> {
  const { names, localNames, nowMs } = options;
  const wrong = names.find((name) => isIP(name) === 0 && !/^[A-Za-z0-9*]([A-Za-z0-9.-]{0,251})$/.test(name));
  if (wrong !== undefined) throw serverFaults.CONFIG_INVALID(`Cannot make a certificate for "${wrong}"`);
  const path = join(folder, "tls/certificate.pem");
  const keyPath = join(folder, "tls/key.pem");
  const kept = await readPair(path, keyPath);
  if (kept !== undefined && isGood(new X509Certificate(kept.certificate), { names, nowMs })) {
    return { ...kept, path, fingerprint: new X509Certificate(kept.certificate).fingerprint256 };
  }
  const made = makeCertificate([...new Set([...names, ...localNames])], nowMs);
  await mkdir(join(folder, "tls"), { recursive: true, mode: 0o700 });
  await writeFileAtomic(keyPath, made.key);
  await writeFileAtomic(path, made.certificate);
  return { ...made, path, fingerprint: new X509Certificate(made.certificate).fingerprint256 };
}

async function readPair(path: string, keyPath: string) {
  try {
    return { certificate: await readFile(path, "utf8"), key: await readFile(keyPath, "utf8") };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isGood(
  certificate: X509Certificate,
  { names, nowMs }: { readonly names: readonly string[]; readonly nowMs: number },
): boolean {
  const isFor = (name: string) =>
    isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name);
  return (
    certificate.validToDate.getTime() - renewMs > nowMs && names.every((name) => isFor(name) !== undefined)
  );
}

/** RFC 5280, 4.1: a certificate for a server, signed by its own key. */
function makeCertificate(names: readonly string[], nowMs: number) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const algorithm = sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const name = sequence(set(sequence(oid("550403"), der(0x0c, Buffer.from("hawser-registry")))));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, of full length
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, serial),
    algorithm,
    name,
    sequence(time(nowMs - 3_600_000), time(nowMs + lifeMs)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      0xa3,
      sequence(
        extension("551d13", sequence(), { critical: true }), // basicConstraints: no authority
        extension("551d0f", der(0x03, Buffer.of(7, 0x80)), { critical: true }), // keyUsage: digitalSignature
        extension("551d25", sequence(oid("2b06010505070301"))), // extKeyUsage: serverAuth
        extension("551d11", sequence(...names.map(alternativeName))),
      ),
    ),
  );
  const signature = sign("sha256", body, createPrivateKey(key));
  const whole = sequence(body, algorithm, der(0x03, Buffer.of(0), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    key,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
  };
}

/** X.690: tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]) => der(0x31, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));

function extension(id: string, value: Buffer, { critical = false }: { readonly critical?: boolean } = {}) {
  return sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value));
}

/** GeneralizedTime. RFC 5280 wants UTCTime until 2049. */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replace(/\.\d+/, "").replaceAll(/[-T:]/g, "")}`;
  return text < "2050" ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function alternativeName(name: string): Buffer {
  if (isIP(name) === 0) return der(0x82, Buffer.from(name));
  return der(0x87, isIPv4(name) ? Buffer.from(name.split(".").map(Number)) : ipv6Bytes(name));
}

function ipv6Bytes(address: string): Buffer {
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1); // an embedded IPv4 address becomes groups
  const [before = "", after] = plain.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [head, tail] = [groups(before), groups(after ?? "")];
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
