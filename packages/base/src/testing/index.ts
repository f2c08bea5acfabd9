export { eventually } from "./eventually.ts";
export { openTempDir } from "./temp-dir.ts";
