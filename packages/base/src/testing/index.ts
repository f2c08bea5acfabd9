export { certificates, makeCertFolder } from "./certificates.ts";
export { eventually } from "./eventually.ts";
export { compileGlob, judgeDifferences } from "./judge-differences.ts";
export { openTempDir } from "./temp-dir.ts";
