export { certificates, makeCertFolder } from "./certificates.ts";
export { eventually } from "./eventually.ts";
export { openTempDir } from "./temp-dir.ts";
