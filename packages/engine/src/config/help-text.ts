import type { EngineProgram } from "./layout.ts";
import { allSettings, flagOf } from "./settings.ts";

/** `--help`: which flags there are. What they mean is Docker's documentation to tell; what has no effect here is said. */
export function helpText(program: EngineProgram): string {
  const lines = allSettings
    .filter(([, { only }]) => only !== "file")
    .map(([name, setting]) => {
      const letter = setting.short === undefined ? "    " : `-${setting.short}, `;
      const flag = `--${flagOf([name, setting])}`;
      const text = setting.about ?? (setting.without === undefined ? "" : `no effect: ${setting.without}`);
      return `  ${letter}${flag.padEnd(36)}${text}`.trimEnd();
    });
  return `\nUsage:  ${program} [OPTIONS]\n\nHawser's engine: a self-sufficient runtime for containers.\n\nOptions:\n${lines.join("\n")}\n`;
}
