import { defineFaults, goQuote } from "@hawser/base";

export const ociFaults = defineFaults({
  DIGEST_INVALID: ["invalid-argument", (text: string) => `Cannot read digest "${text}": ${digestShape}`],
  REFERENCE_INVALID: ["invalid-argument", () => "invalid reference format"],
  REFERENCE_UPPERCASE: [
    "invalid-argument",
    (name: string) => `invalid reference format: repository name (${name}) must be lowercase`,
  ],
  REFERENCE_TOO_LONG: ["invalid-argument", () => "repository name must not be more than 255 characters"],
  REFERENCE_IS_ID: [
    "invalid-argument",
    (name: string) => `invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`,
  ],
  PLATFORM_INVALID: [
    "invalid-argument",
    (text: string, why: string) => `${goQuote(text)}: ${why}: invalid argument`,
  ],
  PLATFORM_PART: [
    "invalid-argument",
    (
      part: string,
      text: string,
      { shape, ofSystem }: { readonly shape: string; readonly ofSystem: boolean },
    ) =>
      ofSystem
        ? `${goQuote(part)} is an invalid OS component of ${goQuote(text)}: OSAndVersion specifier component must match ${goQuote(shape)}: invalid argument`
        : `${goQuote(part)} is an invalid component of ${goQuote(text)}: platform specifier component must match ${goQuote(shape)}: invalid argument`,
  ],
  SIGNAL_INVALID: ["invalid-argument", (text: string) => `invalid signal: ${text}`],
  DOCUMENT_INVALID: [
    "invalid-argument",
    (what: string, problem: string) => `Cannot read ${what}: ${problem}`,
  ],
});

const digestShape = "wanted sha256:<64 hexadecimal digits>, or sha512: with 128";
