import { Inflater } from "@hawser/linux";

/**
 * The members of a gzip archive, one behind the other, expanded on this thread. A zero byte behind a member begins what is ignored:
 * padding. A chunk of either side is good until the next one is asked for.
 *
 * @param options.room where to expand the next bytes to
 * @param options.checks as `Inflater`
 * @throws {Error} as node:zlib, with `code` `Z_DATA_ERROR`; `Z_BUF_ERROR` when a member does not end.
 */
export async function* expandGzip(
  source: AsyncIterable<Uint8Array>,
  { room, checks }: { readonly room: () => Uint8Array; readonly checks: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const inflater = new Inflater({ checks });
  let place: "start" | "member" | "between" | "padding" = "start";
  for await (const chunk of source) {
    for (let input = chunk; ; ) {
      if (place === "between" && input[0] === 0) place = "padding";
      if (place === "padding" || (place !== "member" && input.length === 0)) break;
      const output = room();
      const { read, written, ended } = inflater.inflate(input, output);
      place = ended ? "between" : "member";
      input = input.subarray(read);
      if (written > 0) yield output.subarray(0, written);
      if (input.length === 0 && written < output.length) break;
    }
  }
  if (place === "start" || place === "member") {
    throw Object.assign(new Error("unexpected end of file"), { code: "Z_BUF_ERROR" });
  }
}
