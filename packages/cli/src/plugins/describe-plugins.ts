import { runProgramOk } from "@hawser/base";
import type { Session } from "../session.ts";
import { listPlugins, pluginFolders } from "./find-plugins.ts";

/** A program that says nothing in this time is not one of Docker's plugins. */
const deadlineMs = 5000;

/** A plugin of Docker's client, in the words of docker/cli's `manager.Plugin`. */
export interface DescribedPlugin {
  readonly Name: string;
  readonly Path: string;
  readonly SchemaVersion?: string;
  readonly Vendor?: string;
  readonly Version?: string;
  readonly ShortDescription?: string;
  /** Why it is none. */
  readonly Err?: string;
}

/** All programs that are called as plugins are, with what they tell of themselves. */
export async function describePlugins(session: Session): Promise<readonly DescribedPlugin[]> {
  const plugins = [...listPlugins(pluginFolders(session))];
  return await Promise.all(
    plugins.map(([name, path]) => describePlugin({ Name: name, Path: path }, session)),
  );
}

async function describePlugin(
  plugin: Pick<DescribedPlugin, "Name" | "Path">,
  { environment, workingDir }: Session,
): Promise<DescribedPlugin> {
  let told: Readonly<Record<string, unknown>>;
  try {
    const options = { env: environment, cwd: workingDir, signal: AbortSignal.timeout(deadlineMs) };
    const { stdout } = await runProgramOk([plugin.Path, "docker-cli-plugin-metadata"], options);
    told = Object(JSON.parse(stdout));
  } catch (error) {
    const [problem = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { ...plugin, Err: `failed to fetch metadata: ${problem}` };
  }
  const metadata = Object.fromEntries(
    ["SchemaVersion", "Vendor", "Version", "ShortDescription"].flatMap((key) =>
      typeof told[key] === "string" ? [[key, told[key]] as const] : [],
    ),
  );
  const isWhole = (metadata["Vendor"] ?? "") !== "";
  return { ...metadata, ...plugin, ...(!isWhole && { Err: "plugin metadata does not define a vendor" }) };
}
