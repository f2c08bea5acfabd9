import { showProgress } from "../../format/progress.ts";
import { printLine, type Session } from "../../session.ts";

/** Show how far a copy is, on a terminal; at its end the volume's name. */
export async function showVolumeCopy(session: Session, body: AsyncIterable<Uint8Array>): Promise<void> {
  let name = "";
  await showProgress(body, session.stderr.isTTY === true ? session.stderr : undefined, {
    onAux: (aux) => {
      name = (aux as { readonly Name: string }).Name;
    },
  });
  await printLine(session, name);
}
