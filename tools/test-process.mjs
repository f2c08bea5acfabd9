// Before a test file, in its own process and its workers; programs that it starts are as users have them.
import { readFileSync, writeFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// What Node made of the sources (types stripped, compiled) is kept for the next file, which loads in half the time.
enableCompileCache(fileURLToPath(new URL("../build/test-cache", import.meta.url)));

// At the end it tells the runner how long it kept a processor busy, with every program that it has waited for.
const usage = process.env.HAWSER_TEST_USAGE;
if (usage !== undefined) {
  delete process.env.HAWSER_TEST_USAGE; // workers and programs have nothing to tell
  process.on("exit", () => {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 of proc(5) on
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    writeFileSync(usage, String(ticks / 100)); // USER_HZ is 100 everywhere
  });
}
