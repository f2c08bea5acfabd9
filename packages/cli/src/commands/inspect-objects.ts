import { Fault } from "@hawser/base";
import { indentJson } from "../format/json-text.ts";
import { type Session, warnLine, write } from "../session.ts";

/**
 * Print what is known of several things: their JSON as one list, or each as `format` asks. Those that are not there are
 * told at the end. The result is the exit code.
 *
 * @param options.find the JSON of one of them. Throws a fault when it is not there.
 */
export async function inspectObjects(options: {
  readonly session: Session;
  readonly names: readonly string[];
  readonly format: string;
  readonly find: (name: string) => Promise<string>;
}): Promise<number> {
  const { session, format } = options;
  const print = format === "" || format === "json" ? undefined : await templatePrinter(format);
  const found: string[] = [];
  const refusals: string[] = [];
  for (const name of options.names) {
    try {
      found.push(await options.find(name));
    } catch (error) {
      refusals.push(Fault.from(error).message);
    }
  }
  if (print !== undefined) {
    for (const json of found) {
      try {
        await write(session.stdout, `${print(json)}\n`);
      } catch (error) {
        // Docker has its line break out before it knows
        await write(session.stdout, "\n");
        const { templateFaults } = await import("@hawser/base/template");
        throw templateFaults.TEMPLATE_FAILED(`template parsing error: ${Fault.from(error).message}`);
      }
    }
    if (found.length === 0) await write(session.stdout, "\n");
  } else if (format === "json")
    await write(session.stdout, `[${found.map((json) => json.trim()).join(",")}]\n`);
  else await write(session.stdout, `${indentJson(`[${found.join(",")}]`)}\n`);
  for (const refusal of refusals) await warnLine(session, refusal);
  return refusals.length === 0 ? 0 : 1;
}

async function templatePrinter(format: string): Promise<(json: string) => string> {
  const { openTemplate, goValueFromJson, parseExactJson } = await import("@hawser/base/template");
  const template = openTemplate(format);
  return (json) => template.run(goValueFromJson(parseExactJson(json)));
}
