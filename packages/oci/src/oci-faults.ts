import { defineFaults } from "@hawser/base";

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
    (text: string) => `Cannot read platform "${text}": wanted os[/architecture[/variant]]`,
  ],
  SIGNAL_INVALID: ["invalid-argument", (text: string) => `invalid signal: ${text}`],
  DOCUMENT_INVALID: [
    "invalid-argument",
    (what: string, problem: string) => `Cannot read ${what}: ${problem}`,
  ],
});

const digestShape = "wanted sha256:<64 hexadecimal digits>, or sha512: with 128";
