import { runProgramOk } from "@hawser/base";
import type { Session } from "../session.ts";
import { listPlugins, pluginFolders } from "./find-plugins.ts";

/** A program that says nothing in this time is not one of Docker's plugins. */
const deadlineMs = 5000;

/** Name and summary of each plugin that tells them as docker/cli's `plugin.Metadata` wants; others are left out. */
export async function describePlugins(session: Session): Promise<readonly (readonly [string, string])[]> {
  const described = [...listPlugins(pluginFolders(session))].map(async ([name, path]) => {
    const summary = await summaryOf(path, session);
    return summary === undefined ? [] : [[name, summary] as const];
  });
  return (await Promise.all(described)).flat();
}

async function summaryOf(path: string, { environment, workingDir }: Session): Promise<string | undefined> {
  try {
    const options = { env: environment, cwd: workingDir, signal: AbortSignal.timeout(deadlineMs) };
    const { stdout } = await runProgramOk([path, "docker-cli-plugin-metadata"], options);
    const told = JSON.parse(stdout) as Readonly<Record<string, unknown>> | null;
    if (typeof told?.["Vendor"] !== "string" || told["Vendor"] === "") return undefined;
    const summary = told["ShortDescription"];
    return typeof summary === "string" ? summary : "";
  } catch {
    return undefined;
  }
}
