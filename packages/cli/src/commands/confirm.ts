import { once } from "node:events";
import { type Session, write } from "../session.ts";

/** Ask before something is lost. Only a line that says `y` or `yes` is a yes; the end of input is none. */
export async function confirm(session: Session, warning: string): Promise<boolean> {
  await write(session.stdout, `${warning}\nAre you sure you want to continue? [y/N] `);
  let text = "";
  const collect = (data: Uint8Array | string) => {
    text += String(data);
    if (text.includes("\n")) session.stdin.emit("answered");
  };
  session.stdin.on("data", collect);
  session.stdin.once("end", () => session.stdin.emit("answered"));
  await once(session.stdin, "answered");
  session.stdin.off("data", collect).pause();
  return ["y", "yes"].includes((text.split("\n")[0] ?? "").trim().toLowerCase());
}
