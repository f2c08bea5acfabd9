export { certificates, makeCertFolder } from "./certificates.ts";
export { eventually } from "./eventually.ts";
export { fuzz, inPieces, orRefused } from "./fuzz.ts";
export { openTempDir } from "./temp-dir.ts";
