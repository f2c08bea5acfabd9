/**
 * A number of bytes as Docker's options have it: `64`, `10m`, `1.5GiB`, in powers of `base`. Large ones lose their last digits.
 *
 * @returns `undefined` for what is no size
 */
export function parseByteSize(text: string, base: 1000 | 1024 = 1024): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15}(?:\.\d{1,6})?) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Math.floor(Number(digits) * base ** ["", "k", "m", "g", "t", "p"].indexOf(unit.toLowerCase()));
}
