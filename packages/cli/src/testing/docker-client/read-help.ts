/** A help text in its parts: what a line says of an option or a command, without the columns that it stands in. */
export type HelpParts = Readonly<Record<string, string>>;

/**
 * The parts of a help text: `usage`, `text`, `aliases`, an entry for each option (`--name`) and each command (`command name`).
 */
export function readHelp(help: string): HelpParts {
  const parts: Record<string, string> = {};
  let section = "text";
  let entry = "";
  for (const line of help.split("\n")) {
    const heading = /^([A-Z][\w ]*):(?:  (.*))?$/.exec(line);
    if (heading !== null) {
      section = heading[1] ?? "";
      entry = "";
      if (heading[2] !== undefined) parts["usage"] = heading[2];
      continue;
    }
    if (line.startsWith("Run '")) section = "hint";
    if (section === "Usage" && line === "") section = "text";
    else if (section === "Usage") parts["usage"] = `${parts["usage"]} | ${line.trim()}`;
    else if (section === "Aliases") parts["aliases"] = `${parts["aliases"] ?? ""}${line.trim()}`;
    else if (section.endsWith("ptions")) {
      const option = /^ {2}(?:(-\w), | {4})--([\w-]+)(?: (\S+))?(?: {2,}(.*))?$/.exec(line);
      if (option !== null) {
        entry = `--${option[2]}`;
        parts[entry] = [option[1], option[3] && `<${option[3]}>`, option[4]].filter(Boolean).join(" ");
      } else if (entry !== "" && line !== "") parts[entry] = `${parts[entry]} ${line.trim()}`;
    } else if (section.endsWith("ommands")) {
      const command = /^ {2}(\S+) +(.*)$/.exec(line);
      if (command !== null) parts[`command ${command[1]}`] = command[2] ?? "";
    } else if (section === "text" && line !== "") parts["text"] = `${parts["text"] ?? ""}${line}\n`;
  }
  return parts;
}
