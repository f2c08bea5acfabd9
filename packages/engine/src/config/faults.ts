import { defineFaults } from "@hawser/base";

/** What is wrong with how the engine was told to be, in dockerd's words where it has some. */
export const configFaults = defineFaults({
  FLAG_UNKNOWN: ["invalid-argument", (flag: string) => `unknown flag: ${flag}`],
  FLAG_UNKNOWN_SHORT: [
    "invalid-argument",
    (letter: string, word: string) => `unknown shorthand flag: '${letter}' in ${word}`,
  ],
  FLAG_VALUE_MISSING: ["invalid-argument", (flag: string) => `flag needs an argument: ${flag}`],
  FLAG_VALUE: [
    "invalid-argument",
    (flag: string, value: string, why: string) => `invalid argument "${value}" for "${flag}" flag: ${why}`,
  ],
  ARGUMENT_UNEXPECTED: ["invalid-argument", (program: string) => `"${program}" accepts no arguments.`],
  VALUE_INVALID: ["invalid-argument", (why: string) => why],
  MIRROR_OWN: [
    "invalid-argument",
    (mirror: string) => `invalid mirror: "${mirror}" is this engine's own (mirror-address)`,
  ],
  FILE_INVALID: [
    "invalid-argument",
    (path: string, why: string) => `unable to configure the Docker daemon with file ${path}: ${why}`,
  ],
  RUNTIME_MISSING: [
    "unavailable",
    (names: string) => `Cannot find an OCI runtime: none of ${names} is installed; install crun`,
  ],
  RUNTIME_UNKNOWN: [
    "invalid-argument",
    (name: string) => `specified default runtime '${name}' does not exist`,
  ],
  NATIVE_MISSING: [
    "unavailable",
    (path: string) =>
      `Cannot find Hawser's native programs: ${path} does not exist; build them with "make -C native"`,
  ],
  DATA_ROOT_TAKEN: [
    "conflict",
    (path: string) =>
      `Cannot work in ${path}: it holds the data of Docker's own engine, another --data-root was wanted`,
  ],
  TLS_INVALID: ["invalid-argument", (why: string) => why],
  TCP_WITHOUT_TLS: [
    "invalid-argument",
    (host: string) =>
      `Cannot listen on "${host}" without encryption: whoever reaches it is root on this host; --tlsverify with --tlscacert, --tlscert and --tlskey was wanted, or --tls=false to have it so`,
  ],
  USERNS_REMAP: [
    "invalid-argument",
    (value: string, why: string) => `Cannot map users (userns-remap "${value}"): ${why}`,
  ],
});
