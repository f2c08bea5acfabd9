import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "../../../tools/tree.ts";
import { runCommandOk } from "../../e2e/kit-process.ts";
import { useTarget } from "../../e2e/kit-target.ts";

const program = join(root, "test/conformance/docker-py/behaviours.py");
const helpers = ["container", "tar_of", "eventually", "raises"];
const behaviours = [...readFileSync(program, "utf8").matchAll(/^def (\w+)\(/gm)]
  .map(([, name = ""]) => name)
  .filter((name) => !helpers.includes(name));

const target = useTarget();

describe("docker-py", () => {
  for (const name of behaviours) {
    test(name.replaceAll("_", " "), async () => {
      await runCommandOk(["/usr/bin/python3", "-B", program, name], { env: target.environment() });
    });
  }
});
