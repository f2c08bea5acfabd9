import { cliFaults } from "./faults.ts";
import { type Session, write } from "./session.ts";

/** Ask for a line. @throws {Fault} `canceled` when there is none */
export async function promptLine(session: Session, question: string): Promise<string> {
  await write(session.stdout, question);
  return await readUntil(session, "\n");
}

/** Ask for a line that is not shown while it is typed. */
export async function promptSecret(session: Session, question: string): Promise<string> {
  await write(session.stdout, question);
  using raw = session.rawMode();
  await raw.settled;
  try {
    return await readUntil(session, "\r");
  } finally {
    await write(session.stdout, "\r\n");
  }
}

const maxLineLength = 64 << 10;

/** All of standard input without the line feed at its end: `--password-stdin`. */
export async function readAll(session: Session): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of session.stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxLineLength) throw cliFaults.VALUE_INVALID("the password is too long");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

async function readUntil(session: Session, end: "\n" | "\r"): Promise<string> {
  const { stdin } = session;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const take = (chunk: Uint8Array | string) => {
    for (const char of String(chunk)) {
      // A terminal in raw mode says what is pressed, a line feed too when somebody pastes.
      if (char === end || char === "\n") return resolve(text);
      if (char === "\x03" || (char === "\x04" && text === "")) return reject(cliFaults.PROMPT_LEFT());
      if (char === "\x7f" || char === "\b") text = text.slice(0, -1);
      else if (char !== "\r" && text.length < maxLineLength) text += char;
    }
  };
  const ended = () => reject(cliFaults.PROMPT_LEFT());
  stdin.on("data", take).once("end", ended);
  try {
    return await promise;
  } finally {
    stdin.off("data", take).off("end", ended).pause();
  }
}
