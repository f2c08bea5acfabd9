import { boolean, list, record } from "../http/wire/codec.ts";
import { configFaults } from "./faults.ts";
import { size } from "./setting-kinds.ts";
import type { Settings } from "./settings.ts";

const bytes = { decode: size.fromJson, encode: (value: number) => value };
const absentBytes = {
  decode: (value: unknown, path: string) =>
    value === undefined || value === "" ? 0 : bytes.decode(value, path),
  encode: bytes.encode,
};

interface Policy {
  readonly keepStorage: number;
  readonly reservedSpace: number;
  readonly maxUsedSpace: number;
}

const gcCodec = record<{
  readonly enabled: boolean;
  readonly defaultKeepStorage: number;
  readonly defaultReservedSpace: number;
  readonly defaultMaxUsedSpace: number;
  readonly policy: readonly Policy[];
}>({
  enabled: ["enabled", boolean],
  defaultKeepStorage: ["defaultKeepStorage", absentBytes],
  defaultReservedSpace: ["defaultReservedSpace", absentBytes],
  defaultMaxUsedSpace: ["defaultMaxUsedSpace", absentBytes],
  policy: [
    "policy",
    list(
      record<Policy>({
        keepStorage: ["keepStorage", absentBytes],
        reservedSpace: ["reservedSpace", absentBytes],
        maxUsedSpace: ["maxUsedSpace", absentBytes],
      }),
    ),
  ],
});

/**
 * How large the build cache may be (`builder.gc`): the default's size, or that of the last policy, which is about all of it.
 * `undefined`: nothing is removed by itself.
 *
 * @throws {Fault} `invalid-argument`
 */
export function buildCacheLimit(said: Settings): number | undefined {
  const { gc, entitlements: _, ...strange } = said.builder ?? {};
  const [unknown] = Object.keys(strange);
  if (unknown !== undefined) {
    throw configFaults.VALUE_INVALID(
      `the following directives don't match any configuration option: builder.${unknown}`,
    );
  }
  const { enabled, policy, ...defaults } = gcCodec.decode(gc ?? {}, "Config.builder.gc");
  if (!enabled) return undefined;
  const last = policy.at(-1);
  return (
    [
      last?.maxUsedSpace,
      last?.keepStorage,
      last?.reservedSpace,
      defaults.defaultMaxUsedSpace,
      defaults.defaultKeepStorage,
      defaults.defaultReservedSpace,
    ].find((limit) => limit !== undefined && limit > 0) ?? undefined
  );
}
