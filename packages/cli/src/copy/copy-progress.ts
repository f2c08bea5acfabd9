import { formatTableSize } from "../format/humanize.ts";
import { type Session, warnLine, write } from "../session.ts";

/** Tells how a copy goes: on a terminal while it goes, everywhere once it is done; on standard error. */
export interface CopyProgress {
  /** The same bytes, counted. */
  count(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined>;
  /** All is there. */
  finish(target: string): Promise<void>;
}

const redrawMs = 100;

export function openCopyProgress(
  session: Session,
  options: { readonly heading: string; readonly quiet: boolean },
): CopyProgress {
  const { heading, quiet } = options;
  const live = !quiet && session.stderr.isTTY === true;
  let copied = 0;
  let drawnMs = 0;
  return {
    async *count(bytes) {
      for await (const chunk of bytes) {
        copied += chunk.length;
        yield chunk;
        const nowMs = session.now().getTime();
        if (!live || nowMs - drawnMs < redrawMs) continue;
        drawnMs = nowMs;
        await write(session.stderr, `\r\x1b[2K${heading} - ${formatTableSize(copied)}`);
      }
    },
    async finish(target) {
      if (quiet) return;
      if (live) await write(session.stderr, "\r\x1b[2K");
      await warnLine(session, `Successfully copied ${formatTableSize(copied)} to ${target}`);
    },
  };
}
