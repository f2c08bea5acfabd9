// Before a test file: what Node made of the sources (types stripped, compiled) is kept for the next file, which loads in
// half the time. Only for the test's own process and its workers: programs that it starts are as users have them.
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

enableCompileCache(fileURLToPath(new URL("../build/test-cache", import.meta.url)));
